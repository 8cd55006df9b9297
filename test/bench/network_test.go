package bench

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"warren/node"
	"warren/node/config"
	"warren/node/store"
	"warren/node/store/storetest"
	"warren/rooms"
	"warren/rooms/placement"
	"warren/rooms/replica"
)

// Patience, for the nodes to find each other and to share control.
const (
	ready     = 30 * time.Second
	readyEach = 5 * time.Second // more for each node
)

// network is nodes in this process, with stores on the disk and libp2p over loopback.
type network struct {
	nodes []*node.Node
	dirs  []string     // of their data
	syncs atomic.Int64 // of the log files of all nodes
}

// newNetwork returns count nodes of which as many as should control the directory.
func newNetwork(b *testing.B, count int) *network {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), ready+time.Duration(count)*readyEach)
	defer cancel()
	w := &network{}
	link := ""
	for i := range count {
		var n *node.Node
		var err error
		labelled(ctx, i, func(ctx context.Context) { n, err = w.start(ctx, b, i+1, link) })
		if err != nil {
			b.Fatal(err)
		}
		if link == "" {
			if link, err = n.Invite(time.Hour, count); err != nil {
				b.Fatal(err)
			}
		}
		w.nodes = append(w.nodes, n)
	}
	until(b, ctx, func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *node.Node) bool {
			s := n.Host().Dir().Status()
			return len(s.Controllers) != placement.Want(count) || s.Controls && s.Leader.IsZero() || s.Height != w.nodes[0].Host().Dir().Status().Height
		})
	})
	return w
}

// labelled runs f as the node with that index. All that f starts inherits the label, so a processor profile tells what each node took:
// go tool pprof -tags.
func labelled(ctx context.Context, index int, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels("node", fmt.Sprintf("n%d", index+1)), f)
}

// start brings up a node, which founds the network when there is no link.
func (w *network) start(ctx context.Context, b *testing.B, number int, link string) (*node.Node, error) {
	log := slog.New(slog.DiscardHandler)
	cfg := config.Default(b.TempDir())
	w.dirs = append(w.dirs, string(cfg.Node.Data))
	cfg.Node.Name, cfg.Network.Name, cfg.Network.MDNS = fmt.Sprintf("n%d", number), "bench", false
	cfg.Network.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	open := func() (node.Parts, error) {
		s, err := store.Open(string(cfg.Node.Data), store.Options{FS: storetest.CountSyncs(store.OS{}, &w.syncs)})
		return node.Parts{Key: key, Store: s}, err
	}
	if link != "" {
		until(b, ctx, func() bool { // a full machine may make an admission late
			var parts node.Parts
			if parts, err = open(); err != nil {
				b.Fatal(err)
			}
			return node.JoinWith(ctx, cfg, parts, link, nil, func(string) {}, log) == nil
		})
	}
	parts, err := open()
	if err != nil {
		return nil, err
	}
	n, err := node.OpenWith(cfg, parts, link == "", log)
	if err != nil {
		return nil, err
	}
	b.Cleanup(func() {
		if err := n.Close(); err != nil {
			b.Error(err)
		}
	})
	return n, n.Start()
}

// until waits for something that nobody tells.
func until(b *testing.B, ctx context.Context, f func() bool) {
	b.Helper()
	for !f() {
		select {
		case <-ctx.Done():
			b.Fatal("the network is not ready in time")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// seat is a guest who talks at one node.
type seat struct {
	r    *replica.Replica
	nick string
}

// room makes a room that the first nodes control, which asks for as many controllers when a network of that size would give it fewer, and seats a guest at each of the first members nodes. The seat at the leading controller
// comes first, the other controllers follow.
func (w *network) room(b *testing.B, name string, controllers, members int) []seat {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), ready+time.Duration(members)*readyEach)
	defer cancel()
	var list []rooms.NodeID
	for _, n := range w.nodes[:controllers] {
		list = append(list, n.ID())
	}
	rooms.SortNodes(list)
	first := w.nodes[0].Host()
	body := &rooms.CreateRoom{Name: name, Maker: rooms.PrincipalOf("", "maker", first.Self()), Controllers: list}
	if _, err := first.Dir().Ask(ctx, "", "maker", body); err != nil {
		b.Fatal(err)
	}
	var id rooms.RoomID
	first.Directory(func(d *rooms.Directory) {
		rec, _ := d.RoomByName(name)
		id = rec.ID
	})
	var out []seat
	for i, n := range w.nodes[:members] {
		nick := fmt.Sprintf("guest%d", i+1)
		var r *replica.Replica
		until(b, ctx, func() bool { // the directory's news may not have come yet
			var err error
			labelled(ctx, i, func(ctx context.Context) { r, err = n.Host().Open(ctx, id, "", nick) })
			return err == nil
		})
		if i == 0 && controllers > placement.Want(len(w.nodes)) { // before it gives up those that nobody asked for
			if _, err := r.Ask(ctx, "", "maker", &rooms.Configure{Controllers: new(uint8(controllers))}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := r.Ask(ctx, "", nick, &rooms.Enter{View: "bench"}); err != nil {
			b.Fatal(err)
		}
		r.Watch(func(*rooms.Event, any) {}) // a client: without one the copy would be closed
		out = append(out, seat{r, nick})
	}
	st := replica.Status{}
	until(b, ctx, func() bool { // the steward may have begun to take some out
		st = out[0].r.Status()
		return len(st.Controllers) == controllers && !st.Leader.IsZero()
	})
	lead := slices.IndexFunc(w.nodes, func(n *node.Node) bool { return n.ID() == st.Leader })
	if lead < 0 {
		b.Fatal("nobody leads the room")
	}
	b.Logf("n%d leads, n1 to n%d control, n%d to n%d follow", lead+1, controllers, controllers+1, members)
	out[0], out[lead] = out[lead], out[0]
	return out
}
