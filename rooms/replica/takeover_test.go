package replica

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// The backup whose turn it is first lacks what the dead leader had committed, so nobody votes for it. The next one's turn comes all the same.
func TestABackupThatCannotLeadDoesNotHoldUpTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		s := r.Status()
		first := slices.DeleteFunc(s.Controllers, func(n rooms.NodeID) bool { return n == s.Leader })[0]
		w.lan.mu.Lock()
		w.lan.mute = func(from, to rooms.NodeID) bool { return from == s.Leader && to == first }
		w.lan.mu.Unlock()
		for range 3 {
			w.do(r, "", "bob", &rooms.Say{Text: "not for everybody"})
		}
		w.kill(w.name(s.Leader))
		began := time.Now()
		w.do(r, "", "bob", &rooms.Say{Text: "who leads?"})
		if d := time.Since(began); d > 800*time.Millisecond {
			t.Errorf("ordered %v after the leader's death", d)
		}
	})
}

// A node that controls nothing comes with its wish to a backup while nobody leads. It is told who does, and need not wait until it asks again by itself.
func TestWhoWasSentAwayIsCalledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		lead := r.Status().Leader
		w.lan.slow(20 * time.Millisecond)
		w.do(r, "", "bob", &rooms.Say{Text: "all is well"})
		w.kill(w.name(lead))
		began := time.Now()
		w.do(r, "", "bob", &rooms.Say{Text: "who leads?"})
		if d := time.Since(began); d >= resendAfter {
			t.Errorf("ordered %v after the leader's death", d)
		}
	})
}

// A backup that hears of the leader's death after another one has begun to campaign, and thus knows no leader any more, keeps its turn.
func TestATurnIsKeptThoughTheLeaderIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		s := w.member(id).Status()
		backups := slices.DeleteFunc(s.Controllers, func(n rooms.NodeID) bool { return n == s.Leader })
		r := w.hosts[w.name(backups[2])].Get(id)
		waits := false
		r.wait(func() {
			r.setLeader(rooms.NodeID{})
			r.lostController(s.Leader)
			waits = !r.campaignAt.IsZero()
		})
		if !waits {
			t.Error("it does not wait for its turn")
		}
	})
}

// Over long links the first backup's wish to lead is still on its way when the next one's turn would come by the clock alone. They must not take
// the votes from each other.
func TestOverLongLinksOneBackupCampaigns(t *testing.T) {
	for _, delay := range []time.Duration{20 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w, id := newWorld(t).four("lobby")
			defer w.close()
			w.lan.slow(delay)
			r := w.member(id)
			w.do(r, "", "bob", &rooms.Say{Text: "all is well"})
			lead := r.Status().Leader
			backup := w.hosts[w.name(slices.DeleteFunc(r.Status().Controllers, func(n rooms.NodeID) bool { return n == lead })[0])].Get(id)
			term := func() (term uint64) {
				backup.wait(func() { term = backup.ctl.Status().Term })
				return term
			}
			before := term()
			w.kill(w.name(lead))
			began := time.Now()
			w.do(r, "", "bob", &rooms.Say{Text: "who leads?"})
			t.Logf("%v one way: ordered %v after the leader's death, in term %d after %d", delay, time.Since(began), term(), before)
			if d := time.Since(began); d > 300*time.Millisecond+9*delay {
				t.Errorf("%v one way: ordered %v after the leader's death", delay, d)
			}
			if n := term(); n != before+1 {
				t.Errorf("%v one way: %d terms were begun", delay, n-before)
			}
		})
	}
}
