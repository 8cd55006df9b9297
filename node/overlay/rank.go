package overlay

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// Delays before an address is dialled, while a better one is tried.
const (
	quicDelay  = 150 * time.Millisecond // a LAN's or a continent's TCP handshake is done by then
	relayDelay = 500 * time.Millisecond
)

// rankAddrs prefers TCP to QUIC, and both to relays. The system ends a TCP connection at once when the process at its other end dies, so a
// backup controller takes over after Config.LostGrace; over QUIC a killed node is only noticed by its silence. TCP also costs less CPU for small
// frames. QUIC comes into its own where TCP does not get through.
func rankAddrs(addrs []ma.Multiaddr) []network.AddrDelay {
	out := make([]network.AddrDelay, 0, len(addrs))
	direct := slices.ContainsFunc(addrs, func(a ma.Multiaddr) bool { return !relayed(a) })
	tcp := slices.ContainsFunc(addrs, func(a ma.Multiaddr) bool { return !relayed(a) && !overUDP(a) })
	for _, a := range addrs {
		var d time.Duration
		switch {
		case relayed(a) && direct:
			d = relayDelay
		case overUDP(a) && tcp:
			d = quicDelay
		}
		out = append(out, network.AddrDelay{Addr: a, Delay: d})
	}
	return out
}

func relayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// overTCP reports whether the connection is one whose end the peer's machine tells of, when the process is gone.
func overTCP(c network.Conn) bool {
	return !relayed(c.RemoteMultiaddr()) && !overUDP(c.RemoteMultiaddr())
}

func overUDP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_UDP)
	return err == nil
}
