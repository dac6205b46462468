// A server of Vault in memory, with an AppRole and a secret of two versions, for tests of values that it keeps.
//
// The argument is a folder with cert.pem, key.pem and value, the text that the second version has. The first line of the output has
// the port, the id of the role, and two secret ids, of which the second one may be used once.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	log "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

const policy = `path "secret/data/apps/*" { capabilities = ["read"] }`

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string) error {
	core, token, err := unsealed()
	if err != nil {
		return err
	}
	value, err := os.ReadFile(filepath.Join(folder, "value"))
	if err != nil {
		return err
	}
	told, err := prepared(core, token, strings.TrimSpace(string(value)))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	told["port"] = listener.Addr().(*net.TCPAddr).Port
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}})
	return http.ServeTLS(listener, handler, filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
}

// The two plugins that it has.
type builtin struct{}

func (builtin) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	switch {
	case name == "kv" && kind == consts.PluginTypeSecrets:
		return func() (any, error) { return kv.Factory, nil }, true
	case name == "approle" && kind == consts.PluginTypeCredential:
		return func() (any, error) { return approle.Factory, nil }, true
	}
	return nil, false
}

func (own builtin) Contains(name string, kind consts.PluginType) bool {
	_, found := own.Get(name, kind)
	return found
}

func (builtin) Keys(kind consts.PluginType) []string {
	switch kind {
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	case consts.PluginTypeCredential:
		return []string{"approle"}
	}
	return nil
}

func (own builtin) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, own.Contains(name, kind)
}

func (builtin) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

// Makes a server, and returns its first token.
func unsealed() (*vault.Core, string, error) {
	logger := log.New(&log.LoggerOptions{Level: log.Error})
	physical, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, "", err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           physical,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry:    builtin{},
		DisableMlock:       true,
		Logger:             logger,
	})
	if err != nil {
		return nil, "", err
	}
	seal := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: seal, RecoveryConfig: seal})
	if err != nil {
		return nil, "", err
	}
	if open, err := core.Unseal(made.SecretShares[0]); err != nil || !open {
		return nil, "", fmt.Errorf("it stays sealed: %v", err)
	}
	return core, made.RootToken, nil
}

// Writes the secret and the role.
func prepared(core *vault.Core, token, value string) (map[string]any, error) {
	ask := func(operation logical.Operation, path string, data map[string]any) (map[string]any, error) {
		ctx := namespace.RootContext(context.Background())
		request := &logical.Request{Operation: operation, Path: path, Data: data, ClientToken: token}
		answer, err := core.HandleRequest(ctx, request)
		if err == nil && answer.IsError() {
			err = answer.Error()
		}
		if err != nil || answer == nil {
			return nil, err
		}
		return answer.Data, nil
	}
	kept := func(text string) map[string]any { return map[string]any{"data": map[string]any{"key": text}} }
	role := map[string]any{"token_policies": "reader", "token_ttl": "1m"}
	for _, step := range []struct {
		path string
		data map[string]any
	}{
		{"sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}},
		{"secret/data/apps/crm", kept("the first version")},
		{"secret/data/apps/crm", kept(value)},
		{"secret/data/others/crm", kept("the role may not read this")},
		{"secret/delete/apps/crm", map[string]any{"versions": []int{1}}},
		{"sys/policies/acl/reader", map[string]any{"policy": policy}},
		{"sys/auth/approle", map[string]any{"type": "approle"}},
		{"auth/approle/role/tests", role},
	} {
		// The engine is upgraded after it was mounted, and takes nothing meanwhile.
		var err error
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, err = ask(logical.UpdateOperation, step.path, step.data); err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.path, err)
		}
	}
	told := map[string]any{}
	found, err := ask(logical.ReadOperation, "auth/approle/role/tests/role-id", nil)
	if err != nil {
		return nil, err
	}
	told["role"] = found["role_id"]
	for name, data := range map[string]map[string]any{"always": {}, "once": {"num_uses": 1}} {
		found, err := ask(logical.UpdateOperation, "auth/approle/role/tests/secret-id", data)
		if err != nil {
			return nil, err
		}
		told[name] = found["secret_id"]
	}
	return told, nil
}
