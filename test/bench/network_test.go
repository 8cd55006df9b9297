package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"warren/node"
	"warren/node/config"
	"warren/rooms"
	"warren/rooms/replica"
)

const ready = 30 * time.Second // for the nodes to find each other and to share control

// network returns count nodes that all control the directory.
func network(b *testing.B, count int) []*node.Node {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), ready)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	var nodes []*node.Node
	link := ""
	for i := range count {
		cfg := config.Default(b.TempDir())
		cfg.Node.Name, cfg.Network.Name, cfg.Network.MDNS = fmt.Sprintf("n%d", i+1), "bench", false
		cfg.Network.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
		if link != "" {
			if err := node.Join(ctx, cfg, link, nil, func(string) {}, log); err != nil {
				b.Fatal(err)
			}
		}
		n, err := node.Open(cfg, link == "", log)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := n.Close(); err != nil {
				b.Error(err)
			}
		})
		if err := n.Start(); err != nil {
			b.Fatal(err)
		}
		if link == "" {
			if link, err = n.Invite(time.Hour, count); err != nil {
				b.Fatal(err)
			}
		}
		nodes = append(nodes, n)
	}
	until(b, ctx, func() bool {
		return !slices.ContainsFunc(nodes, func(n *node.Node) bool {
			return len(n.Host().Dir().Status().Controllers) != count || n.Host().Dir().Status().Leader.IsZero()
		})
	})
	return nodes
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

// seats makes a room and seats a guest at each of count nodes, all of which control it; the seat at the leading controller comes first.
func seats(b *testing.B, count int) []seat {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), ready)
	defer cancel()
	nodes := network(b, count)
	id, err := nodes[0].Host().Create(ctx, "", "maker", rooms.CreateRoom{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	var out []seat
	for i, n := range nodes {
		nick := fmt.Sprintf("guest%d", i+1)
		var r *replica.Replica
		until(b, ctx, func() bool { // the directory's news may not have come yet
			var err error
			r, err = n.Host().Open(ctx, id, "", nick)
			return err == nil
		})
		if _, err := r.Ask(ctx, "", nick, &rooms.Enter{View: "bench"}); err != nil {
			b.Fatal(err)
		}
		out = append(out, seat{r, nick})
	}
	st := out[0].r.Status()
	if len(st.Controllers) != len(nodes) {
		b.Fatalf("%d controllers of the room, want %d", len(st.Controllers), len(nodes))
	}
	lead := slices.IndexFunc(nodes, func(n *node.Node) bool { return n.ID() == st.Leader })
	if lead < 0 {
		b.Fatal("nobody leads the room")
	}
	out[0], out[lead] = out[lead], out[0]
	return out
}
