package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/logger"
)

const (
	// Pause between two looks at what the nodes and the tailnet are like.
	lookAgain = 50 * time.Millisecond
	// After so long without a message a node is told that the server is still there.
	keepAlive = 30 * time.Second
)

// tailnet is what the test has decided, in a file that is read again before every answer.
type tailnet struct {
	// The auth key that every registration has to bring, also that of a node that is known; none if it is empty.
	Key string
	// The tag that the allowed ones may reach.
	Tag string
	// Whose device a machine is, by its host name; one that asks for tags is nobody's.
	People map[string]string
	// Who may reach nodes with the tag, and on which TCP ports.
	Allow []allowed
	// Whether certificates are on.
	HTTPS bool
	// Machines that nobody has approved, by host name.
	Unapproved []string
	// Machines whose node key is over, by host name.
	Expired []string
	// Machines whose node key will be over one day, by host name.
	Expiring []string
}

// allowed is one rule: a person or one device, and ports.
type allowed struct {
	Login   string
	Address string
	Ports   []uint16
}

type server struct {
	*testcontrol.Server
	file string
}

func control(arguments []string) error {
	flags := flag.NewFlagSet("control", flag.ExitOnError)
	ip := flags.String("ip", "", "the address to serve on, port 8080")
	domain := flags.String("domain", "example.ts.net", "the tailnet's name")
	file := flags.String("tailnet", "", "the file with people, rules and settings")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	base := fmt.Sprintf("http://%s:8080", *ip)
	s := &server{file: *file, Server: &testcontrol.Server{
		Logf:            log.Printf,
		ExplicitBaseURL: base,
		MagicDNSDomain:  *domain,
		DERPMap:         integration.RunDERPAndSTUN(outside{}, logger.Discard, *ip),
		DNSConfig:       &tailcfg.DNSConfig{Proxied: true, Domains: []string{*domain}},
	}}
	if _, err := s.read(); err != nil {
		return err
	}
	s.AltMapStream = s.stream
	// Asked at the start of every registration.
	s.MaybeRateLimitRegister = s.demand
	log.Printf("control server at %s", base)
	return http.ListenAndServe(*ip+":8080", s)
}

func (s *server) read() (*tailnet, error) {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	read := new(tailnet)
	return read, decoder.Decode(read)
}

// demand takes over which key a registration has to bring.
func (s *server) demand() (reject bool, retryAfter, message string) {
	decided, err := s.read()
	if err != nil {
		return true, "1", err.Error()
	}
	s.RequireAuthKey = decided.Key
	return false, "", ""
}

// stream answers one poll: a short one at once, a long one whenever something has changed.
func (s *server) stream(ctx context.Context, to testcontrol.MapStreamWriter, asked *tailcfg.MapRequest) {
	if !asked.Stream {
		s.note(asked)
		if err := to.SendMapMessage(&tailcfg.MapResponse{}); err != nil {
			log.Printf("poll: %v", err)
		}
		return
	}
	var last []byte
	quiet := time.Now()
	for ctx.Err() == nil {
		answer, err := s.answer(asked)
		if err != nil {
			log.Printf("poll: %v", err)
			return
		}
		text, err := json.Marshal(answer)
		if err != nil {
			log.Printf("poll: %v", err)
			return
		}
		switch {
		case !bytes.Equal(text, last):
			last, quiet = text, time.Now()
			err = to.SendMapMessage(answer)
		case time.Since(quiet) > keepAlive:
			quiet = time.Now()
			err = to.SendMapMessage(&tailcfg.MapResponse{KeepAlive: true})
		}
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// note keeps what a node says of itself.
func (s *server) note(asked *tailcfg.MapRequest) {
	node := s.Node(asked.NodeKey)
	if node == nil || asked.ReadOnly {
		return
	}
	node.Endpoints = asked.Endpoints
	node.DiscoKey = asked.DiscoKey
	node.Cap = asked.Version
	if asked.Hostinfo != nil {
		node.Hostinfo = asked.Hostinfo.View()
		if net := node.Hostinfo.NetInfo(); net.Valid() && net.PreferredDERP() != 0 {
			node.HomeDERP = net.PreferredDERP()
		}
	}
	s.UpdateNode(node)
}

// answer is everything that one node is to know.
func (s *server) answer(asked *tailcfg.MapRequest) (*tailcfg.MapResponse, error) {
	decided, err := s.read()
	if err != nil {
		return nil, err
	}
	answer, err := s.MapResponse(asked)
	if err != nil || answer == nil {
		return answer, err
	}
	decided.settle(answer.Node)
	for _, peer := range answer.Peers {
		decided.settle(peer)
	}
	if decided.HTTPS {
		answer.Node.CapMap = tailcfg.NodeCapMap{tailcfg.CapabilityHTTPS: nil}
	} else {
		answer.DNSConfig.CertDomains = nil
	}
	answer.PacketFilter = decided.filter(answer)
	answer.UserProfiles = decided.profiles(answer)
	return answer, nil
}

// settle gives a node what the tailnet has decided about its machine.
func (t *tailnet) settle(node *tailcfg.Node) {
	host := node.Hostinfo.Hostname()
	node.Tags = node.Hostinfo.RequestTags().AsSlice()
	node.MachineAuthorized = !slices.Contains(t.Unapproved, host)
	node.KeyExpiry = time.Time{}
	if slices.Contains(t.Expiring, host) {
		node.KeyExpiry = time.Now().Add(180 * 24 * time.Hour).Truncate(24 * time.Hour)
	}
	if slices.Contains(t.Expired, host) {
		node.KeyExpiry = time.Unix(1, 0)
		node.Expired = true
	}
	online := true
	node.Online = &online
}

func (t *tailnet) login(node *tailcfg.Node) string {
	if len(node.Tags) > 0 {
		return "tagged-devices"
	}
	return t.People[node.Hostinfo.Hostname()]
}

// filter is what may come in at the node; nothing at those without the tag.
func (t *tailnet) filter(answer *tailcfg.MapResponse) []tailcfg.FilterRule {
	rules := []tailcfg.FilterRule{}
	if !slices.Contains(answer.Node.Tags, t.Tag) {
		return rules
	}
	for _, allowed := range t.Allow {
		rule := tailcfg.FilterRule{IPProto: []int{6}}
		for _, peer := range answer.Peers {
			address := peer.Addresses[0].Addr().String()
			byLogin := allowed.Login != "" && t.login(peer) == allowed.Login
			if byLogin || allowed.Address == address {
				for _, prefix := range peer.Addresses {
					rule.SrcIPs = append(rule.SrcIPs, prefix.Addr().String())
				}
			}
		}
		for _, port := range allowed.Ports {
			for _, prefix := range answer.Node.Addresses {
				ports := tailcfg.PortRange{First: port, Last: port}
				rule.DstPorts = append(rule.DstPorts, tailcfg.NetPortRange{IP: prefix.Addr().String(), Ports: ports})
			}
		}
		if len(rule.SrcIPs) > 0 {
			rules = append(rules, rule)
		}
	}
	return rules
}

// profiles says whose each node is.
func (t *tailnet) profiles(answer *tailcfg.MapResponse) []tailcfg.UserProfile {
	found := map[tailcfg.UserID]tailcfg.UserProfile{}
	for _, node := range append(slices.Clone(answer.Peers), answer.Node) {
		login := t.login(node)
		found[node.User] = tailcfg.UserProfile{ID: node.User, LoginName: login, DisplayName: login}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b tailcfg.UserProfile) int { return int(a.ID - b.ID) })
}

// outside stands in for a test where there is none.
type outside struct{ testing.TB }

func (outside) Helper()                   {}
func (outside) Cleanup(func())            {}
func (outside) Logf(string, ...any)       {}
func (outside) Log(...any)                {}
func (outside) Error(what ...any)         { log.Print(what...) }
func (outside) Errorf(f string, w ...any) { log.Printf(f, w...) }
func (outside) Fatal(what ...any)         { log.Fatal(what...) }
func (outside) Fatalf(f string, w ...any) { log.Fatalf(f, w...) }
