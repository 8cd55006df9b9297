package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"warren/node/config"
	"warren/node/overlay"
	"warren/rooms"
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
	if !n.Founded() || again.Founded() {
		t.Errorf("the first start founds the network: %v; the second one does: %v", n.Founded(), again.Founded())
	}
	if err := again.Close(); err != nil { // never started
		t.Error(err)
	}
}

func TestTheFoundersLabelIsKnownAndMayChange(t *testing.T) {
	cfg, log := configOf(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	for i, label := range []string{"cellar", "cellar", "attic", ""} {
		cfg.Node.Label = label
		n, err := Open(cfg, i == 0, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		seen := make(chan struct{}, 1)
		stop := n.host.Dir().Watch(func(*rooms.Event, any) {
			select {
			case seen <- struct{}{}:
			default:
			}
		})
		for timeout := time.After(20 * time.Second); !n.labelKnown(); {
			select {
			case <-seen:
			case <-timeout:
				t.Fatalf("the directory does not learn the label %q", label)
			}
		}
		stop()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
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

// A node of a network that starts with a new key would be nobody there, and its people would wonder why nothing is ordered.
func TestALostKeyIsNotReplaced(t *testing.T) {
	cfg, log := configOf(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	n, err := Open(cfg, true, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(string(cfg.Node.Data), keyFile)
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, true, log); !errors.Is(err, errKeyLost) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a key now: %v", err)
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = Open(cfg, false, log); err != nil {
		t.Fatalf("with its key again: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// Somebody whose join was never answered would otherwise get an account in a network of one, and wonder where the others are.
func TestADirectoryThatWaitsToBeAdmittedFoundsNoNetwork(t *testing.T) {
	cfg, log := configOf(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := overlay.Found{NetworkName: "physics", NetworkID: [32]byte{1}, Addrs: []string{"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"}}
	if err := Join(ctx, cfg, "", &found, func(string) {}, log); err == nil {
		t.Fatal("admitted by nobody")
	}
	for range 2 { // asking does not wear it off
		_, err := Open(cfg, true, log)
		if !errors.Is(err, ErrNotAdmitted) || !strings.Contains(err.Error(), `"physics"`) || !strings.Contains(err.Error(), "warren join") {
			t.Fatalf("got %v, want ErrNotAdmitted and what to do", err)
		}
	}
	if _, err := Open(cfg, false, log); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("opened without founding: %v", err)
	}
}
