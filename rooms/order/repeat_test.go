package order_test

import (
	"testing"

	"warren/rooms"
	"warren/rooms/order"

	pb "go.etcd.io/raft/v3/raftpb"
)

// acknowledgements counts what backups tell a leader of their logs.
func (c *cluster) acknowledgements() *int {
	n := new(int)
	c.drop = func(p packet) bool {
		order.Alter(p.data, func(e *order.Envelope) {
			if e.Raft != nil && e.Raft.Type == uint8(pb.MsgAppResp) {
				*n++
			}
		})
		return false
	}
	return n
}

func TestABackupAcknowledgesABatchOnce(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	n := c.acknowledgements()
	c.say(5)
	if want := 5 * 3; *n != want {
		t.Errorf("%d acknowledgements of 5 batches by 3 backups, want %d", *n, want)
	}
}

// An acknowledgement that is lost is made up for: the leader goes on with that backup too, also when it is needed.
func TestALostAcknowledgementIsRepeated(t *testing.T) {
	c := newCluster(t, 4, 4)
	c.say(2)
	l := c.leader()
	lost := 0
	c.drop = func(p packet) (drop bool) {
		order.Alter(p.data, func(e *order.Envelope) {
			drop = p.from == c.hosts[(l.i+1)%4].id && e.Raft != nil && e.Raft.Type == uint8(pb.MsgAppResp)
		})
		if drop {
			lost++
			l.ctl.Unreachable(p.from) // raft probes it from now on
		}
		return drop
	}
	c.order(c.request(0, "zero", &rooms.Say{Text: "x"}))
	if lost == 0 {
		t.Fatal("no acknowledgement was lost")
	}
	c.drop = nil
	c.tick(5)
	dead := c.hosts[(l.i+2)%4]
	dead.ctl = nil // now a quorum needs the one that was not heard
	c.say(3)
	if h := c.same(); h < 6 {
		t.Errorf("at height %d", h)
	}
}
