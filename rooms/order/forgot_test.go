package order_test

import (
	"errors"
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"warren/rooms"
	"warren/rooms/order"
)

// backup is a copy of a node's disk.
type backup struct {
	disk *order.Restored
	log  []rooms.Decision
}

func (h *host) backup() backup { return backup{h.disk.Clone(), slices.Clone(h.log)} }

// bringBack starts the node from an old copy of its disk.
func (h *host) bringBack(b backup) {
	h.t.Helper()
	h.ctl, h.disk, h.chain, h.log = nil, b.disk, h.c.newChain(), nil
	for _, d := range b.log {
		h.accept(d)
	}
	h.start()
}

// backups returns the controllers that do not lead, in the order in which certificates name controllers: of four, the last one's signature is in none
// that the leader gathers while all are up.
func (c *cluster) backups() (out []*host) {
	l := c.leader()
	for _, h := range c.hosts {
		if h != l {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b *host) int { return slices.Compare(a.id[:], b.id[:]) })
	return out
}

func TestOldDiskIsNoticedByTheLeadersWord(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(5)
	victim := c.backups()[2]
	old := victim.backup()
	c.say(20)
	victim.bringBack(old)
	c.rejoins(victim, order.ErrForgot)
}

func TestOldDiskIsNoticedByItsOwnSignature(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(5)
	b := c.backups()
	victim, l := b[0], c.leader()
	old := victim.backup()
	c.say(20)
	if !slices.ContainsFunc(victim.log[10].Cert, func(s rooms.Signature) bool { return s.Node == victim.id }) {
		t.Fatal("its signature is not in the certificate")
	}
	l.ctl = nil // no leader says what the node has acknowledged: the next one starts from what it finds
	victim.bringBack(old)
	victim.catchUp(12)
	c.deliver()
	if !errors.Is(victim.broken, order.ErrForgot) {
		t.Fatalf("broken: %v", victim.broken)
	}
	l.start()
	c.rejoins(victim, order.ErrForgot)
}

// TestWhoDoesNotLeadMakesNobodyDoubtItsDisk: a backup that plays the leader, towards one that leads and towards one that follows, all fresh from their disks.
func TestWhoDoesNotLeadMakesNobodyDoubtItsDisk(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(5)
	for _, h := range c.hosts {
		h.ctl = nil
	}
	for _, h := range c.hosts {
		h.start()
	}
	c.backups()[0].alter = func(_ *host, e *order.Envelope) {
		if r := e.Raft; r != nil && r.Type == uint8(pb.MsgHeartbeatResp) {
			r.Type, r.Commit = uint8(pb.MsgHeartbeat), 1000
		}
	}
	c.tick(200)
	for _, h := range c.hosts {
		if h.broken != nil {
			t.Errorf("node %d: broken: %v", h.i, h.broken)
		}
	}
}

func TestNodeThatForgotNothingGoesOn(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(5)
	for _, h := range c.hosts {
		h.ctl = nil
		h.start()
		c.say(20)
		c.tick(30)
		if h.broken != nil || h.ctl.Status().Self.Incarnation != 0 {
			t.Errorf("node %d: broken: %v", h.i, h.broken)
		}
	}
	c.same()
}
