package world

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warren/node"
	"warren/node/overlay"
)

// The person who lets a newcomer in sits at another node than the one that the newcomer happened to ask.
func TestAnyNodeAnswersAKnock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(3))
		asked, other := w.Node("n2").running(), w.Node("n3").running()
		late := w.newNode(4)
		t.Cleanup(late.stop)
		p, err := late.parts()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		g := asked.Genesis()
		found := overlay.Found{NetworkName: g.Name, NetworkID: g.ID(), Addrs: asked.Addrs()}
		var said []string
		joined := make(chan error, 1)
		go func() {
			joined <- node.JoinWith(ctx, late.config(), p, "", &found, func(s string) { said = append(said, s) }, w.logger(late.Name))
		}()
		w.Eventually("n3 hears of the knock at n2", 5*time.Second, func() bool { return len(other.Waiting()) == 1 })
		who := other.Waiting()[0]
		if who.ID != late.ID || who.Name != late.Name {
			t.Errorf("n3 heard of %+v", who)
		}
		if _, err := other.AdmitCode(ctx, who.Code); err != nil {
			t.Fatalf("admit at n3: %v", err)
		}
		if err := <-joined; err != nil {
			t.Fatalf("join: %v", err)
		}
		if all := strings.Join(said, "\n"); !strings.Contains(all, who.Code) || !strings.Contains(all, "Asked node n2 ("+asked.ID().Short()+")") {
			t.Errorf("the newcomer reads:\n%s", all)
		}
		w.Eventually("nobody waits any more", 5*time.Second, func() bool { return len(asked.Waiting())+len(other.Waiting()) == 0 })
		if err := late.start(false); err != nil {
			t.Fatalf("the admitted node starts: %v", err)
		}
	})
}
