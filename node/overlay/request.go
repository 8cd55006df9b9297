package overlay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Handler answers a request. It runs in a goroutine of its own, owns req, and must return soon after ctx
// ends (60 s, or Close). Its error goes to the asker as text, at most 1 KiB: nothing secret in it.
type Handler func(ctx context.Context, from NodeID, req []byte) ([]byte, error)

// errBusy is answered when a peer asks for too much at once.
var errBusy = errors.New("too many requests at once; try again later")

// Handle answers requests of members for proto, a short name with a version such as "log/1". limit is the
// greatest request, in bytes. A second Handle for the same name replaces the first.
func (o *Overlay) Handle(proto string, limit int, h Handler) {
	perPeer := &counts{n: make(map[peer.ID]int)}
	o.gated.SetStreamHandler(o.requestProtocol(proto), func(s network.Stream) {
		defer func() { _ = s.Close() }()
		if !o.enter() {
			_ = s.Reset()
			return
		}
		defer o.leave()
		p := s.Conn().RemotePeer()
		ok := perPeer.add(p, requestsPerPeer)
		if ok {
			defer perPeer.sub(p)
			select {
			case o.serving <- struct{}{}:
				defer func() { <-o.serving }()
			default:
				ok = false
			}
		}
		if !ok {
			_ = s.SetWriteDeadline(time.Now().Add(writeTimeout))
			_ = writeAnswer(s, nil, errBusy)
			return
		}
		if err := serveOne(o.ctx, s, limit, h); err != nil {
			_ = s.Reset()
		}
	})
}

// serveOne reads one request, lets h answer it, writes the answer. Its error means: reset the stream.
func serveOne(ctx context.Context, s network.Stream, limit int, h Handler) error {
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	_ = s.SetReadDeadline(time.Now().Add(requestTimeout))
	req, err := readMessage(s, limit)
	if err != nil {
		return err
	}
	id, ok := nodeID(s.Conn().RemotePeer())
	if !ok {
		return ErrNotAdmitted
	}
	resp, err := h(ctx, id, req)
	if err == nil && len(resp) > MaxResponse {
		err = fmt.Errorf("answer of %d bytes, limit %d: %w", len(resp), MaxResponse, errTooLong)
	}
	_ = s.SetWriteDeadline(time.Now().Add(requestTimeout))
	return writeAnswer(s, resp, err)
}

// Request asks a member and waits for its answer, at most until ctx ends (30 s when it has no deadline).
// A *RemoteError is the other's refusal; anything else means that it was not reached or broke off. proto
// and limits as in Handle; an answer has at most MaxResponse bytes.
func (o *Overlay) Request(ctx context.Context, to NodeID, proto string, req []byte) ([]byte, error) {
	p := o.peer(to)
	if p == nil {
		return nil, fmt.Errorf("request %s from %s: %w", proto, short(to), ErrNotAdmitted)
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	if !p.connected() {
		if err := p.dial(ctx, func() bool { return true }); err != nil {
			return nil, fmt.Errorf("request %s from %s: %w", proto, short(to), err)
		}
	}
	resp, err := ask(ctx, o.gated, p.pid, o.requestProtocol(proto), req, MaxResponse)
	if err != nil {
		return nil, fmt.Errorf("request %s from %s: %w", proto, short(to), err)
	}
	return resp, nil
}

func (o *Overlay) requestProtocol(proto string) protocol.ID {
	return protocol.ID(o.proto + "/ask/" + proto)
}

func withDefaultTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, requestTimeout)
}

// ask opens a stream, writes the request and reads the answer.
func ask(ctx context.Context, h host.Host, p peer.ID, proto protocol.ID, req []byte, limit int) ([]byte, error) {
	s, err := h.NewStream(ctx, p, proto)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	resp, err := exchange(s, req, limit)
	var remote *RemoteError
	switch {
	case err == nil || errors.As(err, &remote):
		_ = s.Close()
	case ctx.Err() != nil:
		err = ctx.Err()
	default:
		_ = s.Reset()
	}
	return resp, err
}

func exchange(s network.Stream, req []byte, limit int) ([]byte, error) {
	if err := writeRequest(s, req); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	return readAnswer(s, limit)
}

// counts says how much each peer has under way.
type counts struct {
	mu sync.Mutex
	n  map[peer.ID]int
}

func (c *counts) add(p peer.ID, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p] >= limit {
		return false
	}
	c.n[p]++
	return true
}

func (c *counts) sub(p peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[p]--; c.n[p] <= 0 {
		delete(c.n, p)
	}
}
