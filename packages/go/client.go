// Package dcs is a client of the DCS session API, made from its contract.
package dcs

import (
	"context"
	"net/http"
)

// Login authenticates a request that is ready to be sent.
type Login func(*http.Request) error

// Token returns a login with a token of the identity service.
func Token(token string) Login {
	return func(request *http.Request) error {
		request.Header.Set("X-Auth-Token", token)
		return nil
	}
}

// New returns a client that authenticates each request. With an access key, the login is key.Sign.
func New(endpoint string, login Login, options ...ClientOption) (*ClientWithResponses, error) {
	// The service has no redirects, and a token would be sent to wherever one leads.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	first := []ClientOption{WithHTTPClient(client), WithRequestEditorFn(func(_ context.Context, request *http.Request) error {
		return login(request)
	})}
	return NewClientWithResponses(endpoint, append(first, options...)...)
}
