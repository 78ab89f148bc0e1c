package main

import (
	"encoding/json"
	"os"
	"testing"
)

func TestSignaturesAreThoseOfTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../signing-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name  string
			Input struct {
				AccessKey string `json:"access_key"`
				SecretKey string `json:"secret_key"`
				Method    string
				Body      *string
			}
			Expected struct {
				RequestTarget string `json:"request_target"`
				Headers       map[string]string
				Authorization string
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, vector := range file.Vectors {
		var body []byte
		if vector.Input.Body != nil {
			body = []byte(*vector.Input.Body)
		}
		key := Key{AccessKey: vector.Input.AccessKey, SecretKey: vector.Input.SecretKey}
		got := key.authorization(vector.Input.Method, vector.Expected.RequestTarget, vector.Expected.Headers, body)
		if got != vector.Expected.Authorization {
			t.Errorf("%s: %s", vector.Name, got)
		}
	}
}
