package overlay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"
)

// admitProtocol is the only one of ours that strangers reach. It is not under a network's prefix, because a
// stranger may not know the network yet.
const admitProtocol protocol.ID = "/warren/admit/1"

// First byte of an admission request. All others are the consumer's.
const requestInfo = 0 // answered by the overlay itself: network id (32 bytes) | name (UTF-8)

// Limits of the admission protocol: strangers can send what they like.
const (
	MaxAdmitRequest  = 16 << 10 // bytes
	MaxAdmitResponse = 8 << 20  // bytes: it may carry the directory
	maxNameLen       = 64       // bytes of a network's name

	admitPerSecond    = 2 // per peer, and per address outside this machine
	admitBurst        = 20
	admitAllPerSecond = 100
	admitAllBurst     = 200
	admitAtOnce       = 16
	admitReadTimeout  = 10 * time.Second
	maxBuckets        = 4096 // rate limiters kept
)

// admission serves the admission protocol.
type admission struct {
	o   *Overlay
	sem chan struct{}
	all *rate.Limiter

	mu      sync.Mutex
	handler Handler
	peers   map[peer.ID]*rate.Limiter
	addrs   map[netip.Addr]*rate.Limiter
}

func newAdmission(o *Overlay) *admission {
	return &admission{
		o: o, sem: make(chan struct{}, admitAtOnce), all: rate.NewLimiter(admitAllPerSecond, admitAllBurst),
		peers: make(map[peer.ID]*rate.Limiter), addrs: make(map[netip.Addr]*rate.Limiter),
	}
}

// HandleAdmission answers requests of strangers (and of members that ask again). The first byte of a request
// is never 0: those ask for the network's id and name, and the overlay answers them. Rates and sizes are
// bounded before h is called; at most 16 run at once.
func (o *Overlay) HandleAdmission(h Handler) {
	o.admitting.mu.Lock()
	defer o.admitting.mu.Unlock()
	o.admitting.handler = h
}

func (a *admission) serve(s network.Stream) {
	if !a.o.enter() {
		_ = s.Reset()
		return
	}
	defer a.o.leave()
	if !a.allow(s.Conn()) {
		a.o.stats.admissionRefused.Add(1)
		_ = s.Reset()
		return
	}
	select {
	case a.sem <- struct{}{}:
		defer func() { <-a.sem }()
	default:
		a.o.stats.admissionRefused.Add(1)
		_ = s.Reset()
		return
	}
	a.o.strangers.use(s.Conn(), time.Now())
	defer func() { a.o.strangers.use(s.Conn(), time.Now()) }()
	if err := a.answer(s); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (a *admission) answer(s network.Stream) error {
	_ = s.SetReadDeadline(time.Now().Add(admitReadTimeout))
	req, err := readMessage(s, MaxAdmitRequest)
	if err != nil {
		if errors.Is(err, errTooLong) {
			a.o.stats.admissionRefused.Add(1)
		}
		return err
	}
	id, ok := nodeID(s.Conn().RemotePeer())
	if !ok {
		return errors.New("admission: the peer's key is not an ed25519 key")
	}
	ctx, cancel := context.WithTimeout(a.o.ctx, handlerTimeout)
	defer cancel()
	resp, err := a.handle(ctx, id, req)
	if err == nil && len(resp) > MaxAdmitResponse {
		err = fmt.Errorf("answer of %d bytes, limit %d: %w", len(resp), MaxAdmitResponse, errTooLong)
	}
	_ = s.SetWriteDeadline(time.Now().Add(handlerTimeout))
	return writeAnswer(s, resp, err)
}

func (a *admission) handle(ctx context.Context, from NodeID, req []byte) ([]byte, error) {
	if len(req) == 0 {
		return nil, errors.New("empty request")
	}
	if req[0] == requestInfo {
		return append(a.o.cfg.Network[:], a.o.cfg.NetworkName...), nil
	}
	a.mu.Lock()
	h := a.handler
	a.mu.Unlock()
	if h == nil {
		return nil, errors.New("this node admits nobody")
	}
	return h(ctx, from, req)
}

// allow takes a token of the peer, of its address and of the whole.
func (a *admission) allow(c network.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok := bucket(a.peers, c.RemotePeer()).Allow()
	if ip := addrOf(c.RemoteMultiaddr()); !ip.IsLoopback() {
		ok = bucket(a.addrs, ip).Allow() && ok
	}
	return ok && a.all.Allow()
}

// bucket returns the rate limiter for key. When there are too many all are forgotten: the limiter of the
// whole still holds.
func bucket[K comparable](m map[K]*rate.Limiter, key K) *rate.Limiter {
	l := m[key]
	if l == nil {
		if len(m) >= maxBuckets {
			clear(m)
		}
		l = rate.NewLimiter(admitPerSecond, admitBurst)
		m[key] = l
	}
	return l
}

// Admit asks the nodes behind addrs, one after the other, until one answers, and returns which one did. The
// first byte of req must not be 0. When none answers with a result, the error is a *RemoteError if any of
// them refused.
func (o *Overlay) Admit(ctx context.Context, addrs []string, req []byte) (from NodeID, resp []byte, err error) {
	return admit(ctx, o.h, addrs, req)
}

func admit(ctx context.Context, h host.Host, addrs []string, req []byte) (NodeID, []byte, error) {
	if len(req) > MaxAdmitRequest {
		return NodeID{}, nil, fmt.Errorf("admit: request of %d bytes, limit %d: %w", len(req), MaxAdmitRequest, errTooLong)
	}
	ids, by, bad := groupAddrs(addrs)
	if len(ids) == 0 {
		return NodeID{}, nil, fmt.Errorf("admit: no usable address: %w", bad)
	}
	var errs []error
	for _, id := range ids {
		resp, err := admitAt(ctx, h, peer.AddrInfo{ID: peerID(id), Addrs: by[id]}, req)
		if err == nil {
			return id, resp, nil
		}
		errs = append(errs, fmt.Errorf("admit at %s: %w", short(id), err))
	}
	return NodeID{}, nil, errors.Join(errs...)
}

func admitAt(ctx context.Context, h host.Host, pi peer.AddrInfo, req []byte) ([]byte, error) {
	if pi.ID == h.ID() {
		return nil, errors.New("that is this node itself")
	}
	dial, cancel := context.WithTimeout(ctx, dialTimeout)
	err := h.Connect(dial, pi)
	cancel()
	switch {
	case untimely(err):
		return nil, fmt.Errorf("set the clock of this machine, or of that one: they are more than an hour apart: %w", err)
	case err != nil:
		return nil, err
	}
	ctx, cancel = context.WithTimeout(ctx, handlerTimeout+requestTimeout)
	defer cancel()
	return ask(ctx, h, pi.ID, admitProtocol, req, MaxAdmitResponse)
}

// Found is a network that can be asked for admission.
type Found struct {
	NetworkName string   // what its node says; may be empty, and is not proven
	NetworkID   [32]byte // the same
	Addrs       []string // with peer ids
}

// info asks a node which network it is of.
func info(ctx context.Context, h host.Host, addrs []string) (Found, error) {
	_, b, err := admit(ctx, h, addrs, []byte{requestInfo})
	if err != nil {
		return Found{}, err
	}
	if len(b) < 32 || len(b) > 32+maxNameLen || !utf8.Valid(b[32:]) {
		return Found{}, fmt.Errorf("ask for the network: answer of %d bytes makes no sense", len(b))
	}
	return Found{NetworkID: [32]byte(b[:32]), NetworkName: string(b[32:]), Addrs: addrs}, nil
}
