package overlay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// bareHost is a libp2p host under key n without any of our manners: an intruder.
func bareHost(t *testing.T, n byte) host.Host {
	t.Helper()
	k, err := hostKey(testKey(n))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(k), libp2p.ListenAddrStrings(onTCP...), libp2p.DisableRelay(),
		libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func infoOf(n *node) peer.AddrInfo { return peer.AddrInfo{ID: n.h.ID(), Addrs: n.h.Addrs()} }

// refused says whether a stream for proto gets nothing: not opened, or reset without a byte.
func refused(ctx context.Context, h host.Host, p peer.ID, proto protocol.ID, data []byte) error {
	s, err := h.NewStream(ctx, p, proto)
	if err != nil {
		return nil
	}
	defer s.Reset()
	_, _ = s.Write(data)
	_ = s.SetReadDeadline(time.Now().Add(soon))
	if n, err := s.Read(make([]byte, 1)); n > 0 || errors.Is(err, io.EOF) || err == nil {
		return errors.New("the stream was served")
	}
	return nil
}

func TestStrangersReachAdmissionOnly(t *testing.T) {
	r := members(1, 2)
	a := newNode(t, 1, r, withValues)
	b := newNode(t, 2, r, withValues)
	a.dial(b)
	a.waitPeer(b.id, true)
	var asked, served bool
	a.HandleAdmission(func(_ context.Context, from NodeID, req []byte) ([]byte, error) {
		asked = true
		return append([]byte("hello "), req[1:]...), nil
	})
	a.Handle("secret/1", 10, func(context.Context, NodeID, []byte) ([]byte, error) { served = true; return []byte("x"), nil })
	heard := make(chan []byte, 10)
	ta, err := a.Join("room", func(_ NodeID, m []byte) { heard <- m })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()

	h := bareHost(t, 3)
	if err := h.Connect(ctx, infoOf(a)); err != nil {
		t.Fatal(err)
	}
	protos, err := h.Peerstore().GetProtocols(a.h.ID())
	if err != nil {
		t.Fatal(err)
	}
	open := []protocol.ID{admitProtocol, "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", ping.ID}
	for _, proto := range protos {
		if slices.Contains(open, proto) {
			continue
		}
		if err := refused(ctx, h, a.h.ID(), proto, make([]byte, 16)); err != nil {
			t.Errorf("protocol %s: %v", proto, err)
		}
	}
	if !slices.Contains(protos, a.framesProtocol()) {
		t.Errorf("the test looked at the wrong protocols: %v", protos)
	}
	// A DHT and a gossipsub that speak the network's protocols, without its gate.
	d, err := dht.New(h, dht.ProtocolPrefix(protocol.ID(a.proto)), dht.Mode(dht.ModeServer), dht.Validator(record.NamespacedValidator{"test": anyValue{}}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := a.PutValue(ctx, "/test/x", []byte("v")); err != nil {
		t.Fatal(err)
	}
	quick, cancelQuick := context.WithTimeout(ctx, 2*time.Second)
	defer cancelQuick()
	if v, err := d.GetValue(quick, "/test/x"); err == nil {
		t.Errorf("a stranger read %q from the dht", v)
	}
	psCtx, psCancel := context.WithCancel(ctx)
	defer psCancel()
	ps, err := pubsub.NewGossipSub(psCtx, h, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(), pubsub.WithMessageIdFn(messageID))
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(ta.name)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	_ = topic.Publish(ctx, []byte("from outside"))
	_ = ta.Publish([]byte("inside"))
	if m, err := sub.Next(quick); err == nil && m.ReceivedFrom != h.ID() {
		t.Error("a stranger heard a topic")
	}
	// The door itself is open.
	resp, err := ask(ctx, h, a.h.ID(), admitProtocol, []byte("\x01you"), 100)
	if err != nil || string(resp) != "hello you" {
		t.Errorf("admission answered %q, %v", resp, err)
	}
	f, err := info(ctx, h, a.Addrs())
	if err != nil || f.NetworkName != "testnet" || f.NetworkID != a.cfg.Network {
		t.Errorf("info: %+v, %v", f, err)
	}
	if !asked || served || len(heard) > 0 || len(a.frames) > 0 || len(ta.Peers()) > 0 || a.dht.RoutingTable().Find(h.ID()) != "" {
		t.Errorf("asked=%v served=%v heard=%d frames=%d topic peers=%d", asked, served, len(heard), len(a.frames), len(ta.Peers()))
	}
	if a.Send(keyID(3), []byte("x")) {
		t.Error("a frame to a stranger was taken")
	}
	if a.Stats().RefusedStreams == 0 && a.Stats().Strangers == 0 {
		t.Error("the stats know of no stranger")
	}
}

func TestAdmittedLaterEverythingWorks(t *testing.T) {
	for name, listen := range map[string][]string{"tcp": onTCP, "quic": onQUIC} {
		t.Run(name, func(t *testing.T) {
			ra, rb := members(1), members(2) // each has its own, as with directories that lag
			on := func(c *Config) { c.Listen = listen; withValues(c) }
			a, b := newNode(t, 1, ra, on), newNode(t, 2, rb, on)
			heard := make(chan []byte, 10)
			if _, err := a.Join("room", func(_ NodeID, m []byte) { heard <- m }); err != nil {
				t.Fatal(err)
			}
			tb, err := b.Join("room", nil)
			if err != nil {
				t.Fatal(err)
			}
			b.dial(a)
			if b.Send(a.id, nil) {
				t.Fatal("a frame to a stranger was taken")
			}
			ra.set(b.id, true)
			a.AdmissionChanged(b.id)
			// a's attempts are refused by b now; b learns later.
			eventually(t, "b refuses a's streams", func() bool { return b.Stats().RefusedStreams > 0 || a.knownPeer(b.id).fails.Load() > 0 })
			rb.set(a.id, true)
			b.AdmissionChanged(a.id)
			a.waitPeer(b.id, true)
			b.waitPeer(a.id, true)
			eventually(t, "topic peers", func() bool { return slices.Contains(tb.Peers(), a.id) })
			if err := tb.Publish([]byte("m")); err != nil {
				t.Fatal(err)
			}
			select {
			case <-heard:
			case <-time.After(soon):
				t.Fatal("no message")
			}
			eventually(t, "routing tables", func() bool { return a.dht.RoutingTable().Size() == 1 && b.dht.RoutingTable().Size() == 1 })
			if !b.Send(a.id, []byte("f")) || !a.Send(b.id, []byte("f")) {
				t.Fatal("frame not taken")
			}
			a.waitFrame()
			b.waitFrame()
			// And out again.
			ra.set(b.id, false)
			a.AdmissionChanged(b.id)
			a.waitPeer(b.id, false)
			b.waitPeer(a.id, false)
			if a.Send(b.id, nil) {
				t.Error("a frame to a former member was taken")
			}
		})
	}
}

func TestJunkOnlyResetsItsStream(t *testing.T) {
	r := members(1, 2, 3)
	a, b := newNode(t, 1, r), newNode(t, 2, r)
	a.Handle("echo/1", 10, func(_ context.Context, _ NodeID, q []byte) ([]byte, error) { return q, nil })
	a.HandleAdmission(func(context.Context, NodeID, []byte) ([]byte, error) { return []byte("ok"), nil })
	h := bareHost(t, 3) // a member gone mad
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := h.Connect(ctx, infoOf(a)); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 4096)
	_, _ = rand.Read(random)
	huge := binary.BigEndian.AppendUint32(nil, 1<<31)
	greeting := appendHeader(nil, kindHello, 13)
	greeting = append(greeting, hello{incarnation: 1, heartbeat: time.Second}.encode()...)
	after := func(b ...byte) []byte { return slices.Concat(greeting, b) }
	echo := a.requestProtocol("echo/1")
	for _, c := range []struct {
		name  string
		proto protocol.ID
		data  []byte
	}{
		{"no hello", a.framesProtocol(), appendHeader(nil, kindApp, 0)},
		{"random bytes for a hello", a.framesProtocol(), append([]byte{0xff}, random...)},
		{"a hello of another version", a.framesProtocol(), append(appendHeader(nil, kindHello, 13), make([]byte, 13)...)},
		{"a huge frame", a.framesProtocol(), after(kindApp, 0xff, 0xff, 0xff)},
		{"a huge hello", a.framesProtocol(), []byte{kindHello, 1, 0, 0}},
		{"peers that are no cbor", a.framesProtocol(), after(kindPeers, 0, 0, 2, 0xff, 0xff)},
		{"a short heartbeat", a.framesProtocol(), after(kindHeartbeat, 0, 0, 1, 9)},
		{"a huge request", echo, huge},
		{"a huge admission request", admitProtocol, huge},
		{"random admission request", admitProtocol, append([]byte{0xff}, random...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := refused(ctx, h, a.h.ID(), c.proto, c.data); err != nil {
				t.Error(err)
			}
		})
	}
	if h.Network().Connectedness(a.h.ID()) != network.Connected {
		t.Error("the connection is gone")
	}
	if got, err := ask(ctx, h, a.h.ID(), echo, []byte("x"), 10); err != nil || string(got) != "x" {
		t.Errorf("a good request afterwards: %q, %v", got, err)
	}
	if got, err := ask(ctx, h, a.h.ID(), admitProtocol, []byte{1}, 10); err != nil || string(got) != "ok" {
		t.Errorf("a good admission request afterwards: %q, %v", got, err)
	}
	if a.Stats().BadFrames == 0 {
		t.Error("bad frames are not counted")
	}
	b.dial(a) // the node still serves others
	b.waitPeer(a.id, true)
}

func TestAdmissionIsRateLimited(t *testing.T) {
	a := newNode(t, 1, members(1))
	s, err := NewStranger(testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	refusals := 0
	for range admitBurst + 20 {
		if _, err := info(ctx, s.h, a.Addrs()); err != nil {
			refusals++
		}
	}
	if refusals == 0 || a.Stats().AdmissionRefused == 0 {
		t.Errorf("%d of %d were refused, %d counted", refusals, admitBurst+20, a.Stats().AdmissionRefused)
	}
}

func TestAdmitTriesOneAddressAfterTheOther(t *testing.T) {
	a := newNode(t, 1, members(1))
	a.HandleAdmission(func(_ context.Context, _ NodeID, req []byte) ([]byte, error) {
		if bytes.Equal(req, []byte{2}) {
			return nil, errors.New("the invitation is used up")
		}
		return []byte("welcome"), nil
	})
	s, err := NewStranger(testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	dead := withPeerID(keyID(5), a.h.Addrs()) // answers with another key
	from, resp, err := s.Admit(ctx, append(dead, a.Addrs()...), []byte{1})
	if err != nil || from != a.id || string(resp) != "welcome" {
		t.Errorf("got %q from %s, %v", resp, short(from), err)
	}
	var remote *RemoteError
	if _, _, err := s.Admit(ctx, a.Addrs(), []byte{2}); !errors.As(err, &remote) {
		t.Errorf("got %v, want the node's refusal", err)
	}
	if _, _, err := s.Admit(ctx, []string{"/ip4/127.0.0.1/tcp/1", "nonsense"}, []byte{1}); err == nil {
		t.Error("addresses without peer ids were taken")
	}
	if _, _, err := s.Admit(ctx, a.Addrs(), make([]byte, MaxAdmitRequest+1)); err == nil {
		t.Error("a request over the limit was sent")
	}
}

func TestStrangersAreBoundedAndClosedWhenIdle(t *testing.T) {
	a := newNode(t, 1, members(1))
	h := bareHost(t, 9)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := h.Connect(ctx, infoOf(a)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stranger is counted", func() bool { return a.strangers.count() == 1 })
	if idle := a.strangers.sweep(time.Now()); len(idle) != 0 {
		t.Error("a fresh connection is called idle")
	}
	c := a.h.Network().ConnsToPeer(h.ID())[0]
	if !a.strangers.InterceptSecured(network.DirInbound, h.ID(), c) {
		t.Error("the second stranger is refused")
	}
	for range maxStrangers {
		a.strangers.conns[fakeConn{c, new(int)}] = time.Now()
	}
	if a.strangers.InterceptSecured(network.DirInbound, h.ID(), c) {
		t.Error("one stranger too many is let in")
	}
	if !a.strangers.InterceptSecured(network.DirOutbound, h.ID(), c) {
		t.Error("dialling out is refused")
	}
	idle := a.strangers.sweep(time.Now().Add(strangerIdle))
	if len(idle) != maxStrangers+1 || !slices.Contains(idle, network.Conn(c)) {
		t.Errorf("%d connections are idle, want %d", len(idle), maxStrangers+1)
	}
}

// fakeConn is a connection that is unlike all others.
type fakeConn struct {
	network.Conn
	n *int
}

// libp2p's own services use the bare host; the resource manager stops strangers there.
func TestLibp2pServicesAreGatedToo(t *testing.T) {
	a := newNode(t, 1, members(1, 2))
	for _, proto := range []protocol.ID{"/libp2p/autonat/1.0.0", "/libp2p/autonat/2/dial-request", "/libp2p/circuit/relay/0.2.0/hop",
		"/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr", "/meshsub/1.2.0", a.framesProtocol()} {
		if a.mayStream(peerID(keyID(3)), proto) {
			t.Errorf("a stranger may use %s", proto)
		}
		if !a.mayStream(peerID(keyID(2)), proto) {
			t.Errorf("a member may not use %s", proto)
		}
	}
	if a.mayStream("not an ed25519 key", "/libp2p/dcutr") {
		t.Error("a peer with another kind of key passes as a member")
	}
	if !a.mayStream(peerID(keyID(3)), admitProtocol) {
		t.Error("a stranger may not use the admission protocol")
	}
}
