package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// startDCS gives a test a local DCS of its own, which ends with the test.
func startDCS(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	command := exec.Command("dcs-sessions", "emulator", "--port", "0", "--ready-file", file)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
	for range 300 {
		text, err := os.ReadFile(file)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		var ready struct {
			Endpoint   string
			Token      string
			ProjectID  string `json:"project_id"`
			InstanceID string `json:"instance_id"`
		}
		if err := json.Unmarshal(text, &ready); err != nil {
			t.Fatal(err)
		}
		t.Setenv("DCS_ENDPOINT", ready.Endpoint)
		t.Setenv("DCS_TOKEN", ready.Token)
		project, instance = ready.ProjectID, ready.InstanceID
		return
	}
	t.Fatal("the local DCS did not start within 30 seconds")
}

func TestWithoutAWorkerThereIsNothingToEnd(t *testing.T) {
	startDCS(t)
	if err := run(t.Context()); err == nil || err.Error() != "no session is called worker" {
		t.Fatalf("%v", err)
	}
}
