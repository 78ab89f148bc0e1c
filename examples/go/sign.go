package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Key is an access key; SecurityToken belongs to temporary ones.
type Key struct{ AccessKey, SecretKey, SecurityToken string }

// Sign adds the headers of a signature to a request that is ready to be sent.
func (key Key) Sign(request *http.Request) error {
	var body []byte
	if request.GetBody != nil {
		reader, err := request.GetBody()
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(reader); err != nil {
			return err
		}
	}
	request.Header.Set("X-Sdk-Date", time.Now().UTC().Format("20060102T150405Z"))
	headers := map[string]string{"Host": request.Host, "X-Sdk-Date": request.Header.Get("X-Sdk-Date")}
	if key.SecurityToken != "" {
		request.Header.Set("X-Security-Token", key.SecurityToken)
		headers["X-Security-Token"] = key.SecurityToken
	}
	request.Header.Set("Authorization", key.authorization(request.Method, request.URL.RequestURI(), headers, body))
	return nil
}

func (key Key) authorization(method, target string, headers map[string]string, body []byte) string {
	signed := map[string]string{}
	for name, value := range headers {
		if !strings.Contains(name, "_") {
			signed[strings.ToLower(name)] = strings.TrimSpace(value)
		}
	}
	names := slices.Sorted(maps.Keys(signed))
	path, query, _ := strings.Cut(target, "?")
	lines := []string{strings.ToUpper(method), canonicalPath(path), canonicalQuery(query)}
	for _, name := range names {
		lines = append(lines, name+":"+signed[name])
	}
	list := strings.Join(names, ";")
	lines = append(lines, "", list, sha256Hex(string(body)))
	text := "SDK-HMAC-SHA256\n" + signed["x-sdk-date"] + "\n" + sha256Hex(strings.Join(lines, "\n"))
	mac := hmac.New(sha256.New, []byte(key.SecretKey))
	mac.Write([]byte(text))
	return fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x", key.AccessKey, list, mac.Sum(nil))
}

func canonicalPath(path string) string {
	segments := strings.Split(unescape(path), "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	return strings.TrimSuffix(strings.Join(segments, "/"), "/") + "/"
}

func canonicalQuery(query string) string {
	pairs := [][]string{}
	for _, part := range strings.Split(query, "&") {
		if part != "" {
			name, value, _ := strings.Cut(strings.ReplaceAll(part, "+", " "), "=")
			pairs = append(pairs, []string{unescape(name), unescape(value)})
		}
	}
	slices.SortFunc(pairs, slices.Compare) // by name, then by value, before they are escaped
	for i, pair := range pairs {
		pairs[i] = []string{escape(pair[0]) + "=" + escape(pair[1])}
	}
	return strings.Join(slices.Concat(pairs...), "&")
}

func unescape(text string) string {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return text
	}
	return plain
}

func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x", sum)
}
