package world

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"warren/node/overlay"
)

// linkSpeed of every node, both ways, in bits per second: never the bottleneck of rooms.
const linkSpeed = 100 * simlibp2p.OneMbps

// cables is the network: it delays, loses, and keeps apart.
type cables struct {
	sim  *simnet.Simnet
	link simnet.NodeBiDiLinkSettings
	void *net.UDPAddr // where lost packets go: simnet knows no other way to lose them

	mu           sync.Mutex
	rng          *rand.Rand
	least, most  time.Duration // one way
	loss         float64
	pairs        map[[2]int]time.Duration
	off          map[int]bool
	side         map[int]bool
	apart        bool
	sent, lostIn int
}

func newCables(t *testing.T, o *options) *cables {
	l := simnet.LinkSettings{BitsPerSecond: linkSpeed}
	c := &cables{
		link: simnet.NodeBiDiLinkSettings{Downlink: l, Uplink: l}, void: &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1).To4(), Port: 9},
		rng: rand.New(rand.NewPCG(o.seed, 1)), least: o.least, most: o.most, loss: o.loss,
		pairs: map[[2]int]time.Duration{}, off: map[int]bool{}, side: map[int]bool{},
	}
	c.sim = &simnet.Simnet{Logger: slog.New(slog.DiscardHandler), LatencyFunc: c.route}
	sink := c.sim.NewEndpoint(c.void, c.link)
	c.sim.Start()
	var wg sync.WaitGroup
	wg.Go(func() { // an endpoint that nobody reads blocks the router
		b := make([]byte, 2000)
		for _, _, err := sink.ReadFrom(b); err == nil; _, _, err = sink.ReadFrom(b) {
		}
	})
	t.Cleanup(func() {
		_ = sink.Close()
		c.sim.Close()
		wg.Wait()
	})
	return c
}

// plug returns the options that put a host onto the network as node number n, 1, 2, 3 …
func (c *cables) plug(n int) []overlay.HostOption {
	return []overlay.HostOption{
		simlibp2p.QUICSimnet(c.sim, c.link), libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ListenAddrStrings("/ip4/" + address(n).String() + "/udp/4067/quic-v1"),
	}
}

// address is where node number n lives: public addresses, so that nothing in libp2p thinks of a home network.
func address(n int) net.IP { return net.IPv4(8, 0, byte(n>>8), byte(n)) }

// number returns which node has an address, 0 for none.
func number(a net.Addr) int {
	if u, ok := a.(*net.UDPAddr); ok {
		if ip := u.IP.To4(); ip != nil && ip[0] == 8 {
			return int(ip[2])<<8 | int(ip[3])
		}
	}
	return 0
}

// route says how long a packet takes, and leads lost ones away.
func (c *cables) route(p *simnet.Packet) time.Duration {
	from, to := number(p.From), number(p.To)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	if c.off[from] || c.off[to] || c.apart && c.side[from] != c.side[to] || c.loss > 0 && c.rng.Float64() < c.loss {
		c.lostIn++
		p.To = c.void
		return 0
	}
	pair := [2]int{min(from, to), max(from, to)}
	d, ok := c.pairs[pair]
	if !ok {
		d = c.least + time.Duration(c.rng.Int64N(int64(c.most-c.least)+1))
		c.pairs[pair] = d
	}
	return d + time.Duration(c.rng.Int64N(int64(d)/8+1))
}

func (c *cables) pull(n int, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off[n] = out
}

func (c *cables) split(side map[int]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.side, c.apart = side, side != nil
}

func (c *cables) packets() (sent, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent, c.lostIn
}
