package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// answer is what came back.
type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
	Error  string `json:"error,omitempty"`
}

// The most that is read of an answer.
const bodyBytesMax = 1 << 20

// fetch asks once, with headers exactly as they are given, and prints the answer as JSON.
func fetch(arguments []string) error {
	flags := flag.NewFlagSet("fetch", flag.ExitOnError)
	socks := flags.String("socks", "", "the SOCKS5 proxy to go through")
	authority := flags.String("ca", "", "the file with the authority's certificate")
	method := flags.String("method", "GET", "the method")
	body := flags.String("body", "", "the body")
	limit := flags.Duration("limit", 5*time.Second, "how long the answer may take")
	var headers []string
	flags.Func("header", "a header, `Name: value`; as often as needed", func(text string) error {
		headers = append(headers, text)
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	request, err := http.NewRequest(*method, flags.Arg(0), strings.NewReader(*body))
	if err != nil {
		return err
	}
	for _, text := range headers {
		name, value, found := strings.Cut(text, ": ")
		if !found {
			return errors.New("not a header: " + text)
		}
		if strings.EqualFold(name, "host") {
			request.Host = value
			continue
		}
		// Not by Add, which would change the name.
		request.Header[name] = append(request.Header[name], value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if *socks != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5h", Host: *socks})
	}
	if *authority != "" {
		pem, err := os.ReadFile(*authority)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := &http.Client{Transport: transport, Timeout: *limit}
	return json.NewEncoder(os.Stdout).Encode(ask(client, request))
}

func ask(client *http.Client, request *http.Request) answer {
	response, err := client.Do(request)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyBytesMax))
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Status: response.StatusCode, Body: string(body)}
}
