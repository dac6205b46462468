package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
	"tailscale.com/client/tailscale/v2"
	"tailscale.com/ipn"
)

const (
	shipped = "../../../tailscale"
	domain  = "contractual.example.ts.net"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// The sidecar itself decodes loosely: what is misspelt there is not served, and nobody says so.
func TestServeFileIsWhatTheSidecarReads(t *testing.T) {
	text := strings.ReplaceAll(string(read(t, "serve.json")), "${TS_CERT_DOMAIN}", domain)
	var config ipn.ServeConfig
	if err := strictly([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	ports := []uint16{443, 8443}
	if len(config.TCP) != len(ports) {
		t.Fatalf("not HTTPS on 443 and 8443 alone: %v", config.TCP)
	}
	if config.IsFunnelOn() || len(config.AllowFunnel) > 0 || len(config.Services) > 0 {
		t.Fatal("more than the tailnet is served")
	}
	if len(config.Web) != len(ports) {
		t.Fatalf("not one name on two ports: %v", config.Web)
	}
	for _, port := range ports {
		if config.TCP[port] == nil || !config.TCP[port].HTTPS {
			t.Fatalf("not HTTPS on %d: %v", port, config.TCP)
		}
		handler := config.GetWebHandler("", ipn.HostPort(fmt.Sprintf("%s:%d", domain, port)), "/")
		if handler == nil {
			t.Fatalf("nothing is served at / on %d", port)
		}
		expanded, err := ipn.ExpandProxyTargetValue(handler.Proxy, []string{"http"}, "http")
		if err != nil || expanded != handler.Proxy {
			t.Fatalf("%q is not a target as it stands: %q, %v", handler.Proxy, expanded, err)
		}
		if len(handler.AcceptAppCaps) > 0 {
			t.Fatal("the gateway refuses capabilities")
		}
	}
	for _, wrong := range []struct{ from, to string }{
		{`"Proxy"`, `"Proxi"`},
		{`"Handlers"`, `"Handler"`},
		{`"Web"`, `"Webs"`},
		{`"HTTPS"`, `"TLS"`},
	} {
		broken := strings.Replace(text, wrong.from, wrong.to, 1)
		if strictly([]byte(broken), new(ipn.ServeConfig)) == nil {
			t.Errorf("%s instead of %s is taken", wrong.to, wrong.from)
		}
	}
}

func TestPolicyFileIsWhatTheServiceReads(t *testing.T) {
	text, err := hujson.Standardize(read(t, "policy.hujson"))
	if err != nil {
		t.Fatal(err)
	}
	var policy tailscale.ACL
	if err := strictly(text, &policy); err != nil {
		t.Fatal(err)
	}
	if len(policy.Grants) == 0 || len(policy.Tests) == 0 {
		t.Fatalf("%d grants, %d tests", len(policy.Grants), len(policy.Tests))
	}
	broken := strings.Replace(string(text), `"grants"`, `"grnats"`, 1)
	if strictly([]byte(broken), new(tailscale.ACL)) == nil {
		t.Error("a misspelt key is taken")
	}
}
