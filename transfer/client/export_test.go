//go:build !offline

package client

import (
	"net/http"
	"net/url"
)

// CheckRedirect exports the rule for redirects: to next, after the others.
func CheckRedirect(next string, via ...string) error {
	request := func(raw string) *http.Request {
		u, err := url.Parse(raw)
		if err != nil {
			panic(err)
		}
		return &http.Request{URL: u}
	}
	var before []*http.Request
	for _, v := range via {
		before = append(before, request(v))
	}
	return checkRedirect(request(next), before)
}
