package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// patience is how long anything may take that must come, also on a loaded machine.
const patience = 60 * time.Second

// polling is how often is asked for what cannot be waited for.
const polling = 25 * time.Millisecond

// node is one node's process: the demo's child at first, later one of our own.
type node struct {
	Name, ID, IRC, Data string
	PID                 int

	program string
	own     *exec.Cmd
}

// network is a running demo.
type network struct {
	Nodes []*node

	demo   *exec.Cmd
	ended  sync.Once
	starts chan func() // to the thread whose end takes all processes along
}

func startNetwork(program, data string, nodes int, level string) (*network, error) {
	n := &network{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range n.starts {
			f()
		}
	}()
	n.demo = exec.Command(program, "demo", "--nodes", fmt.Sprint(nodes), "--json", "--data", data, "--log", level)
	n.demo.Stderr = os.Stderr
	out, err := n.demo.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.start(n.demo); err != nil {
		return nil, fmt.Errorf("start warren demo: %w", err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, n)
	}
	if err != nil || len(n.Nodes) != nodes {
		n.stop()
		return nil, fmt.Errorf("warren demo printed %q: %w", line, errors.Join(err, errors.New("no list of its nodes")))
	}
	for _, x := range n.Nodes {
		x.program = program
	}
	return n, nil
}

// start starts a process that ends with this one.
func (n *network) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	done := make(chan error)
	n.starts <- func() { done <- cmd.Start() }
	return <-done
}

// stop ends all nodes in order and waits for them.
func (n *network) stop() {
	n.ended.Do(func() {
		for _, x := range n.Nodes {
			if x.own != nil {
				_ = x.own.Process.Signal(syscall.SIGTERM)
			}
		}
		_ = n.demo.Process.Signal(syscall.SIGTERM)
		for _, x := range n.Nodes {
			if x.own != nil {
				_ = x.own.Wait()
			}
		}
		_ = n.demo.Wait()
		close(n.starts)
	})
}

// roomStatus is what `warren status --json` says of a room.
type roomStatus struct {
	Name        string
	Leader      string
	Controllers []string
	Height      uint64
}

// room asks the node for its view of the room; ok is false when it does not answer or has none.
func (x *node) room(name string) (r roomStatus, ok bool) {
	out, err := exec.Command(x.program, "status", "--json", "--data", x.Data).Output()
	var s struct{ Rooms []roomStatus }
	if err != nil || json.Unmarshal(out, &s) != nil {
		return r, false
	}
	i := slices.IndexFunc(s.Rooms, func(r roomStatus) bool { return r.Name == name })
	if i < 0 {
		return r, false
	}
	return s.Rooms[i], true
}

// leader returns the node that leads the room as this one sees it, nil when it sees none.
func (n *network) leader(room string, ask *node) *node {
	r, ok := ask.room(room)
	if !ok {
		return nil
	}
	return n.byID(r.Leader)
}

func (n *network) byID(id string) *node {
	for _, x := range n.Nodes {
		if x.ID == id && id != "" {
			return x
		}
	}
	return nil
}

// others returns the nodes that are none of these.
func (n *network) others(not ...*node) (out []*node) {
	for _, x := range n.Nodes {
		if !slices.Contains(not, x) {
			out = append(out, x)
		}
	}
	return out
}

// signal sends a signal to the node's process.
func (x *node) signal(s syscall.Signal) error {
	if err := syscall.Kill(x.PID, s); err != nil {
		return fmt.Errorf("signal %v to %s: %w", s, x.Name, err)
	}
	return nil
}

// gone waits until the node's process has ended.
func (x *node) gone() error {
	if x.own != nil {
		_ = x.own.Wait() // with an error when it was killed
		x.own = nil
		return nil
	}
	return eventually(x.Name+" has ended", func() bool { // the demo waits for it, not we
		err := syscall.Kill(x.PID, 0)
		return errors.Is(err, syscall.ESRCH)
	})
}

// restart brings the node back and waits until it listens.
func (n *network) restart(x *node) error {
	x.own = exec.Command(x.program, "serve", "--data", x.Data)
	x.own.Stderr = os.Stderr
	if err := n.start(x.own); err != nil {
		return fmt.Errorf("restart %s: %w", x.Name, err)
	}
	x.PID = x.own.Process.Pid
	return eventually(x.Name+" listens again", func() bool {
		c, err := net.Dial("tcp", x.IRC)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// caughtUp waits until a node has applied what another one had when it was asked first, and sees a leader.
func (n *network) caughtUp(room string, behind, ahead *node) error {
	var want roomStatus
	if err := eventually(ahead.Name+" knows "+room, func() (ok bool) { want, ok = ahead.room(room); return ok }); err != nil {
		return err
	}
	return eventually(fmt.Sprintf("%s has caught up to height %d of %s", behind.Name, want.Height, room), func() bool {
		got, ok := behind.room(room)
		return ok && got.Height >= want.Height && got.Leader != ""
	})
}

// eventually asks until ok.
func eventually(what string, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); time.Sleep(polling) {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", patience, what)
		}
	}
	return nil
}
