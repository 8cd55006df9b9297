package node

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"warren/node/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func configOf(t *testing.T) config.Config {
	cfg := config.Default(t.TempDir())
	cfg.Network.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	cfg.Network.MDNS = false
	return cfg
}

func TestANodeIsTakenDownTwiceAndComesBackAsItself(t *testing.T) {
	cfg, log := configOf(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	if _, err := Open(cfg, false, log); !errors.Is(err, ErrNoNetwork) {
		t.Fatalf("an empty directory: %v", err)
	}
	n, err := Open(cfg, true, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, true, log); err == nil {
		t.Error("two nodes with one data directory")
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	again, err := Open(cfg, false, log)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != n.ID() || again.Genesis() != n.Genesis() {
		t.Error("it came back as another node")
	}
	if err := again.Close(); err != nil { // never started
		t.Error(err)
	}
}

func TestADamagedKeyIsNotReplaced(t *testing.T) {
	cfg, log := configOf(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	file := filepath.Join(string(cfg.Node.Data), keyFile)
	if err := os.WriteFile(file, []byte("c2hvcnQ=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, true, log); err == nil {
		t.Fatal("a node with half a key")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "c2hvcnQ=\n" {
		t.Errorf("the key's file now holds %q, %v", data, err)
	}
}
