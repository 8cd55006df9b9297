package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"warren/node/config"
)

const (
	demoReady   = 60 * time.Second // for all nodes to be up and admitted
	maxDemo     = 64
	demoIRC     = 6667 // n1's; the next nodes take the next ports, or free ones
	demoXMPP    = 5222
	demoPolling = 50 * time.Millisecond

	demoSpare  = 10000 // ports to choose from when the wanted one is taken: 10000 to 31999; Linux gives 32768 and up to outgoing connections
	demoSpares = 22000
)

type demoNode struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	PID  int    `json:"pid"`
	IRC  string `json:"irc"`
	XMPP string `json:"xmpp"`
	Data string `json:"data"`

	cmd  *exec.Cmd
	done chan struct{}
}

type demoInfo struct {
	Domain string      `json:"domain"`
	MUC    string      `json:"muc"`
	Nodes  []*demoNode `json:"nodes"`
}

func demo(c *call) error {
	count := c.flags.Int("nodes", 4, fmt.Sprintf("how many nodes, 1 to %d", maxDemo))
	level := c.flags.String("log", "", "log level of the nodes: debug, info, warn, error (default: warn)")
	if err := c.parse(); err != nil {
		return err
	}
	switch {
	case *count < 1 || *count > maxDemo:
		return usageError(fmt.Sprintf("--nodes must be 1 to %d", maxDemo))
	case len(c.args) > 0:
		return usageError("say: warren demo [--nodes 4]")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	base := *c.data
	if base == "" {
		if base, err = os.MkdirTemp("", "warren-demo-"); err != nil {
			return err
		}
	} else if base, err = filepath.Abs(base); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demoRun{c: c, self: self, base: base, level: *level, ports: map[int]bool{}}
	defer d.stop()
	runtime.LockOSThread() // the nodes end with the thread that started them
	begin := time.Now()
	if err := d.start(ctx, *count); err != nil {
		return err
	}
	info := demoInfo{Domain: "localhost", MUC: "rooms.localhost", Nodes: d.nodes}
	if *c.json {
		if err := printJSON(c, info); err != nil {
			return err
		}
	} else {
		d.table(time.Since(begin))
	}
	<-ctx.Done()
	return nil
}

type demoRun struct {
	c     *call
	self  string
	base  string
	level string
	nodes []*demoNode
	ports map[int]bool
	out   sync.Mutex // one line at a time
	wg    sync.WaitGroup
}

func (d *demoRun) start(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, demoReady)
	defer cancel()
	link := ""
	for i := range count {
		n, err := d.prepare(i)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, n)
		if err := d.launch(n, link); err != nil {
			return err
		}
		if i == 0 {
			if _, err := d.wait(ctx, n, func(statusInfo) bool { return true }); err != nil {
				return err
			}
			if count > 1 {
				if err := ask(ctx, n.Data, "POST", "/invite", inviteRequest{Hours: 24, Uses: count - 1}, &link); err != nil {
					return err
				}
			}
		}
	}
	want := 1
	if count == 3 {
		want = 3
	} else if count > 3 {
		want = 4
	}
	for _, n := range d.nodes {
		s, err := d.wait(ctx, n, func(s statusInfo) bool {
			return s.Peers == count-1 && len(s.Nodes) == count && len(s.Directory.Controllers) == want && s.Directory.Leader != ""
		})
		if err != nil {
			return err
		}
		n.ID = s.ID
	}
	return nil
}

// prepare writes a node's configuration into a data directory of its own.
func (d *demoRun) prepare(i int) (*demoNode, error) {
	n := &demoNode{Name: fmt.Sprintf("n%d", i+1)}
	n.Data = filepath.Join(d.base, n.Name)
	if err := os.MkdirAll(n.Data, 0o700); err != nil {
		return nil, err
	}
	n.IRC, n.XMPP = d.port(demoIRC+i), d.port(demoXMPP+i)
	_, peer, _ := net.SplitHostPort(d.port(4067 + i))
	cfg := config.Default(n.Data)
	cfg.Node.Name, cfg.Network.Name, cfg.Network.MDNS = n.Name, "demo", false
	cfg.Network.Listen = []string{"/ip4/127.0.0.1/tcp/" + peer, "/ip4/127.0.0.1/udp/" + peer + "/quic-v1"}
	cfg.IRC.Listen, cfg.XMPP.Listen = []string{n.IRC}, []string{n.XMPP}
	cfg.IRC.FloodProtection = false // a demo is to be played with, by scripts too
	if d.level != "" {
		cfg.Log.Level = d.level
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	path := filepath.Join(n.Data, config.FileName)
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("%s holds a node already: the demo wants an empty --data", n.Data)
	}
	return n, config.Write(path, cfg)
}

// port returns a loopback address whose port is free for TCP and UDP: the wanted one if it is, else one below those that systems give to
// outgoing connections, for such a connection could take it while a killed node is away.
func (d *demoRun) port(want int) string {
	for try := want; ; try = demoSpare + rand.IntN(demoSpares) {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", try))
		if err != nil {
			continue
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err != nil || d.ports[port] {
			continue
		}
		_ = u.Close()
		d.ports[port] = true
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
}

func (d *demoRun) launch(n *demoNode, link string) error {
	args := []string{"serve", "--data", n.Data}
	if link != "" {
		args = []string{"join", link, "--data", n.Data}
	}
	n.cmd, n.done = exec.Command(d.self, args...), make(chan struct{})
	n.cmd.SysProcAttr = childAttr()
	stderr, err := n.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.PID = n.cmd.Process.Pid
	d.wg.Go(func() {
		defer close(n.done)
		d.relay(n, stderr)
		err := n.cmd.Wait()
		if err != nil && !*d.c.json {
			d.say("%s ended (%v); bring it back with: %s serve --data %s", n.Name, err, filepath.Base(d.self), n.Data)
		}
	})
	return nil
}

func (d *demoRun) relay(n *demoNode, r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		d.out.Lock()
		fmt.Fprintf(d.c.err, "%s | %s\n", n.Name, s.Text())
		d.out.Unlock()
	}
}

func (d *demoRun) say(format string, args ...any) {
	d.out.Lock()
	defer d.out.Unlock()
	fmt.Fprintf(d.c.out, format+"\n", args...)
}

// wait asks a node for its status until it fits.
func (d *demoRun) wait(ctx context.Context, n *demoNode, fits func(statusInfo) bool) (s statusInfo, err error) {
	for {
		if err = ask(ctx, n.Data, "GET", "/status", struct{}{}, &s); err == nil && fits(s) {
			return s, nil
		}
		select {
		case <-n.done:
			return s, fmt.Errorf("%s ended before it was ready; its last words are above", n.Name)
		case <-ctx.Done():
			return s, fmt.Errorf("%s is not ready after %v (peers %d, nodes %d): %w", n.Name, demoReady, s.Peers, len(s.Nodes), errors.Join(err, ctx.Err()))
		case <-time.After(demoPolling):
		}
	}
}

func (d *demoRun) table(took time.Duration) {
	d.out.Lock()
	defer d.out.Unlock()
	w := tabwriter.NewWriter(d.c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(d.c.out, "%d nodes, ready after %.1f s. Connect to any of them and join #lobby (XMPP: lobby@rooms.localhost).\n\n", len(d.nodes), took.Seconds())
	fmt.Fprintln(w, "NODE\tIRC\tXMPP\tPID\tDATA")
	for _, n := range d.nodes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", n.Name, n.IRC, n.XMPP, n.PID, n.Data)
	}
	_ = w.Flush()
	n1 := d.nodes[0]
	fmt.Fprintf(d.c.out, "\nAn account for XMPP: warren account create NAME --data %s\n", n1.Data)
	fmt.Fprintf(d.c.out, "See who leads:       warren status --data %s\n", n1.Data)
	if len(d.nodes) > 1 {
		fmt.Fprintf(d.c.out, "See the point:       kill -9 %d, and watch the room go on; bring it back with warren serve --data %s\n", n1.PID, n1.Data)
	}
	fmt.Fprintf(d.c.out, "Ctrl-C stops all of them; the data stays in %s\n", d.base)
}

// stop ends all nodes and waits for them.
func (d *demoRun) stop() {
	for _, n := range d.nodes {
		if n.cmd != nil && n.cmd.Process != nil {
			_ = n.cmd.Process.Signal(syscall.SIGCONT) // a stopped one cannot hear
			_ = n.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	ended := make(chan struct{})
	go func() { d.wg.Wait(); close(ended) }()
	select {
	case <-ended:
		return
	case <-time.After(5 * time.Second):
	}
	for _, n := range d.nodes {
		if n.cmd != nil && n.cmd.Process != nil {
			_ = n.cmd.Process.Kill()
		}
	}
	<-ended
}
