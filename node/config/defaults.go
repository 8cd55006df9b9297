package config

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// DefaultMaxClientsPerIP is what irc.max_clients_per_ip = 0 stands for.
const DefaultMaxClientsPerIP = 64

// Default returns the configuration of a node whose file is empty.
func Default(dataDir string) Config {
	return Config{
		Node: Node{Data: Path(dataDir)},
		Network: Network{
			Name: "warren",
			Listen: []string{
				"/ip4/0.0.0.0/tcp/4067", "/ip4/0.0.0.0/udp/4067/quic-v1",
				"/ip6/::/tcp/4067", "/ip6/::/udp/4067/quic-v1",
			},
			Bootstrap: []string{},
			MDNS:      true,
			Heartbeat: Duration{200 * time.Millisecond},
		},
		IRC: IRC{
			Listen:          []string{"127.0.0.1:6667"},
			TLSListen:       []string{},
			Opers:           []Oper{},
			FloodProtection: true,
		},
		XMPP: XMPP{
			Listen:    []string{"127.0.0.1:5222"},
			TLSListen: []string{},
		},
		Accounts: Accounts{Registration: "open"},
		Order:    Order{Heartbeat: Duration{100 * time.Millisecond}, ElectionTimeout: Duration{1500 * time.Millisecond}},
		Log:      Log{Level: "warn", Format: "text"},
		Limits:   defaultLimits(),
	}
}

func defaultLimits() Limits {
	return Limits{
		Clients:           2000,
		SendQueue:         256 * KiB,
		Stanza:            64 * KiB,
		RequestsPerSecond: 10,
		RequestBurst:      60,
		LoginTime:         Duration{30 * time.Second},
		History:           1000,
	}
}

// DefaultDataDir returns where a node keeps its data when nothing else is said: warren in XDG_DATA_HOME, or in
// ~/.local/share (XDG Base Directory Specification). It is an error when there is neither that variable nor a home folder.
func DefaultDataDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "warren"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("data directory: no home folder: name a directory with --data: %w", err)
	}
	return filepath.Join(home, ".local", "share", "warren"), nil
}
