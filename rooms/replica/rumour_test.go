package replica

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

func TestOnlyWhatCanBecomeAnEventIsShownOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id, rs, ss := frozenRoom(t)
		next := uint64(0)
		rs[0].wait(func() { next = rs[0].chain.Machine.Base().Counters[node("n2")] + 1 })
		request := func(text string, change func(*rooms.Request)) []byte {
			req := rooms.NewRequest(id, "", "bob", &rooms.Say{Text: text})
			req.Counter = next
			if change != nil {
				change(&req)
			}
			device := req.Device
			req.Sign(key("n2"))
			if !device.IsZero() {
				req.Device = device
			}
			return rooms.Marshal(&req)
		}
		tell := func(data []byte) {
			w.hosts["n1"].Frame(node("n2"), rooms.Marshal(frame{Room: id, Kind: frameProvisional, Data: data}))
			synctest.Wait()
		}
		for name, change := range map[string]func(*rooms.Request){
			"somebody else's name":   func(r *rooms.Request) { r.Nick = "ann" },
			"somebody not here":      func(r *rooms.Request) { r.Nick = "zoe" },
			"an account not its own": func(r *rooms.Request) { r.Account = "bob" },
			"another node's name":    func(r *rooms.Request) { r.Nick, r.Device = "cyd", node("n3") },
			"another room":           func(r *rooms.Request) { r.Room[0]++ },
			"a used counter":         func(r *rooms.Request) { r.Counter = next - 1 },
			"a counter far ahead":    func(r *rooms.Request) { r.Counter = next + counterAhead },
			"something else than talk": func(r *rooms.Request) {
				*r = rooms.NewRequest(id, "", "bob", &rooms.Subject{Text: "x"})
				r.Counter = next
			},
		} {
			tell(request(name, change))
			if ss[0].has("bob: "+name) || ss[0].has("ann: "+name) || ss[0].has("cyd: "+name) || ss[0].has("zoe: "+name) {
				t.Errorf("shown: %s", name)
			}
		}
		if n := len(ss[0].lines); n > 0 {
			t.Errorf("%d lines shown: %q", n, ss[0].lines)
		}
		tell(request("really", nil))
		tell(request("really", nil))
		tell(request("or not", nil)) // in the same place
		ss[0].once(t, "ann", []string{"bob: really"})
		for i := range maxSaidBy + 10 {
			tell(request(fmt.Sprint(i), func(r *rooms.Request) { r.Counter = next + 1 + uint64(i) }))
		}
		if n := len(ss[0].lines); n != maxSaidBy {
			t.Errorf("%d messages of one author are shown, at most %d", n, maxSaidBy)
		}
	})
}

// account registers an account with the node as its only device; the function returned takes the device from it.
func (w *world) account(name, at string) (drop func()) {
	w.t.Helper()
	w.registered(w.hosts[at], name)
	return func() {
		drop := &rooms.DropDevice{Account: name, Device: node(at)}
		w.hosts["n1"].Directory(func(d *rooms.Directory) { drop.Nonce = d.Accounts[name].Changes })
		drop.Sig = ed25519.Sign(key(name), rooms.AccountDigest(w.genesis.Directory(), "drop", name, node(name), node(at), drop.Nonce))
		w.do(w.hosts["n1"].Dir(), "", "", drop)
	}
}

func TestANodeThatMayNotSpeakForAnAccountAnyMoreIsNotHeardAndTakesItsWordsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.join("n5", id) // no controller: who orders has the newest directory
		drop := w.account("dora", "n5")
		_, s1 := w.seat("n1", "ann", id)
		r5 := w.openAs("n5", id, "dora", "dora")
		s5 := watch(r5)
		w.do(r5, "dora", "dora", &rooms.Enter{})
		w.lan.split(node("n5"))
		w.eventually("n5 is frozen", 2*time.Second, s5.isFrozen)
		r5.Submit("dora", "dora", &rooms.Say{Text: "mine"}, nil, nil)
		w.eventually("it is shown", time.Second, func() bool { return s5.has("dora: mine") })
		drop()
		var data []byte
		r5.wait(func() {
			i := slices.IndexFunc(r5.out.pending, func(w *wish) bool { return w.said })
			data = rooms.Marshal(&r5.out.pending[i].req)
		})
		w.hosts["n1"].Frame(node("n5"), rooms.Marshal(frame{Room: id, Kind: frameProvisional, Data: data}))
		synctest.Wait()
		if s1.has("dora: mine") {
			t.Error("shown, though the node may not speak for the account")
		}
		w.lan.split()
		w.eventually("it is withdrawn", 20*time.Second, func() bool {
			s5.mu.Lock()
			defer s5.mu.Unlock()
			return s5.withdrawn["dora: mine"] == errs.Void
		})
		w.eventually("the room thaws", 10*time.Second, func() bool { return !s5.isFrozen() })
	})
}
