package overlay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	ma "github.com/multiformats/go-multiaddr"
)

// checkListen says which of the addresses cannot be had. libp2p itself is content when one of them works, and
// shares a TCP port with another process of the same user, which would then get half of the connections.
func checkListen(ctx context.Context, addrs []string) error {
	for _, s := range addrs {
		m, err := ma.NewMultiaddr(s)
		if err != nil {
			return fmt.Errorf("listen address %q: %w", s, err)
		}
		if err := tryListen(ctx, m); err != nil {
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("listen for peers on %s: the port is in use; is another node running? Choose another port in [network] listen", s)
			}
			return fmt.Errorf("listen for peers on %s: %w", s, err)
		}
	}
	return nil
}

// tryListen binds the address once and lets it go. Machines without IPv6 are no error.
func tryListen(ctx context.Context, m ma.Multiaddr) error {
	version, host := "4", ""
	var err error
	if host, err = m.ValueForProtocol(ma.P_IP4); err != nil {
		if host, err = m.ValueForProtocol(ma.P_IP6); err != nil {
			return nil // a name or a relay: libp2p will say
		}
		version = "6"
	}
	var c io.Closer
	var lc net.ListenConfig
	if port, e := m.ValueForProtocol(ma.P_TCP); e == nil {
		c, err = lc.Listen(ctx, "tcp"+version, net.JoinHostPort(host, port))
	} else if port, e := m.ValueForProtocol(ma.P_UDP); e == nil {
		c, err = lc.ListenPacket(ctx, "udp"+version, net.JoinHostPort(host, port))
	} else {
		return nil
	}
	if version == "6" && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.Close()
}
