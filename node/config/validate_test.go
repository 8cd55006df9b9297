package config

import (
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	if err := Default("/data").Validate(); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	const peer = "/ip4/192.0.2.1/tcp/4067/p2p/12D3KooWLUUzUCBAPgJ98azFRFZqW8zXKz6oH72HEkVrLVpQFWyg"
	for name, change := range map[string]func(*Config){
		"every view off":     func(c *Config) { c.IRC.Listen, c.XMPP.Listen, c.Network.Listen = nil, nil, nil },
		"other addresses":    func(c *Config) { c.IRC.Listen = []string{":0", "[::1]:6667", "localhost:1", "[fe80::1%eth0]:6667"} },
		"a bootstrap node":   func(c *Config) { c.Network.Bootstrap = []string{peer} },
		"a certificate":      func(c *Config) { c.IRC.TLSCert, c.IRC.TLSKey = "/a", "/b" },
		"a node's name":      func(c *Config) { c.Node.Name = "4th-floor_2" },
		"an encoded domain":  func(c *Config) { c.XMPP.Domain = "xn--bcher-kva.example" },
		"a text as a motd":   func(c *Config) { c.IRC.MOTD = "welcome\nto all" },
		"registration shut":  func(c *Config) { c.Accounts.Registration = "closed" },
		"an oper":            func(c *Config) { c.IRC.Opers = []Oper{{"root", "secret"}} },
		"a network's name":   func(c *Config) { c.Network.Name = "Żółw net" },
		"json lines, debug":  func(c *Config) { c.Log = Log{Level: "debug", Format: "json"} },
		"a label of a place": func(c *Config) { c.Node.Label, c.Node.Sponsor = "Main Street 5", "alice" },
	} {
		c := Default("/data")
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for key, changes := range map[string][]func(*Config){
		"node.data":              {func(c *Config) { c.Node.Data = "" }},
		"node.name":              {func(c *Config) { c.Node.Name = "Attic" }, func(c *Config) { c.Node.Name = "-a" }, func(c *Config) { c.Node.Name = strings.Repeat("a", 25) }},
		"node.label":             {func(c *Config) { c.Node.Label = "a\nb" }},
		"node.sponsor":           {func(c *Config) { c.Node.Sponsor = strings.Repeat("a", 33) }},
		"network.name":           {func(c *Config) { c.Network.Name = " " }, func(c *Config) { c.Network.Name = strings.Repeat("a", 65) }},
		"network.listen":         {func(c *Config) { c.Network.Listen = []string{"0.0.0.0:4067"} }},
		"network.bootstrap":      {func(c *Config) { c.Network.Bootstrap = []string{"/ip4/192.0.2.1/tcp/4067"} }, func(c *Config) { c.Network.Bootstrap = []string{"x"} }},
		"network.heartbeat":      {func(c *Config) { c.Network.Heartbeat = Duration{time.Millisecond} }},
		"irc.name":               {func(c *Config) { c.IRC.Name = "a b" }},
		"irc.network":            {func(c *Config) { c.IRC.Network = "\x01" }},
		"irc.listen":             {func(c *Config) { c.IRC.Listen = []string{"6667"} }, func(c *Config) { c.IRC.Listen = []string{"host.example:6667"} }, func(c *Config) { c.IRC.Listen = []string{"127.0.0.1:99999"} }},
		"irc.tls_listen":         {func(c *Config) { c.IRC.TLSListen = []string{""} }},
		"irc.tls_cert":           {func(c *Config) { c.IRC.TLSCert = "/a" }},
		"irc.tls_key":            {func(c *Config) { c.IRC.TLSKey = "/a" }},
		"irc.password":           {func(c *Config) { c.IRC.Password = strings.Repeat("a", 301) }},
		"irc.motd":               {func(c *Config) { c.IRC.MOTD = "\xff" }, func(c *Config) { c.IRC.MOTD = "file: " }},
		"irc.opers":              {func(c *Config) { c.IRC.Opers = []Oper{{"a", ""}} }, func(c *Config) { c.IRC.Opers = []Oper{{"a", "b"}, {"a", "c"}} }, func(c *Config) { c.IRC.Opers = []Oper{{"a b", "c"}} }},
		"irc.max_clients_per_ip": {func(c *Config) { c.IRC.MaxClientsPerIP = -1 }},
		"xmpp.domain":            {func(c *Config) { c.XMPP.Domain = "a..b" }, func(c *Config) { c.XMPP.Domain = "Example.org" }, func(c *Config) { c.XMPP.Domain = strings.Repeat("a.", 200) + "b" }},
		"xmpp.listen":            {func(c *Config) { c.XMPP.Listen = []string{"x"} }},
		"xmpp.tls_listen":        {func(c *Config) { c.XMPP.TLSListen = []string{"x"} }},
		"xmpp.tls_cert":          {func(c *Config) { c.XMPP.TLSCert = "/a" }},
		"accounts.registration":  {func(c *Config) { c.Accounts.Registration = "maybe" }},
		"order.heartbeat":        {func(c *Config) { c.Order.Heartbeat = Duration{} }},
		"order.election_timeout": {func(c *Config) { c.Order.ElectionTimeout = c.Order.Heartbeat }, func(c *Config) { c.Order.ElectionTimeout = Duration{time.Hour} }},
		"log.level":              {func(c *Config) { c.Log.Level = "" }},
		"log.format":             {func(c *Config) { c.Log.Format = "xml" }},
		"limits.send_queue":      {func(c *Config) { c.Limits.SendQueue = KiB }},
		"limits.login_time":      {func(c *Config) { c.Limits.LoginTime = Duration{} }},
	} {
		for i, change := range changes {
			c := Default("/data")
			change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), key+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, change %d: got %v", key, i, err)
			}
		}
	}
}

func TestEveryLimitIsChecked(t *testing.T) {
	for _, e := range schema() {
		if e.parent != "limits" {
			continue
		}
		c := Default("/data")
		text := map[kind]string{kindInt: "-1", kindSize: `"0B"`, kindDuration: `"0s"`}[e.kind]
		_, _, err := load(t, "[limits]\n"+e.name+" = "+text+"\n")
		if err == nil || !strings.Contains(err.Error(), ":2:1: "+e.path+": expected ") {
			t.Errorf("%s = %s: got %v (default %v)", e.path, text, err, c.Limits)
		}
	}
}
