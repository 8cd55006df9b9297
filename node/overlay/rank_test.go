package overlay

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func TestTCPIsDialledFirstAndRelaysLast(t *testing.T) {
	relay := "/ip4/192.0.2.1/tcp/1/p2p/12D3KooWH4JCerJECfxkTe92yVKqyvDDwLQhMTRbRmco5jqtniGf/p2p-circuit"
	for _, c := range []struct {
		addrs []string
		want  []time.Duration
	}{
		{[]string{"/ip4/192.0.2.1/udp/1/quic-v1", "/ip4/192.0.2.1/tcp/1", relay}, []time.Duration{quicDelay, 0, relayDelay}},
		{[]string{"/ip4/192.0.2.1/udp/1/quic-v1"}, []time.Duration{0}},
		{[]string{relay}, []time.Duration{0}},
	} {
		var addrs []ma.Multiaddr
		for _, a := range c.addrs {
			addrs = append(addrs, ma.StringCast(a))
		}
		for i, d := range rankAddrs(addrs) {
			if d.Delay != c.want[i] {
				t.Errorf("%v: %v waits %v, want %v", c.addrs, d.Addr, d.Delay, c.want[i])
			}
		}
	}
}
