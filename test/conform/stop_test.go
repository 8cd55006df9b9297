//go:build conform

package conform

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// silence is how long nothing must be acknowledged while half of the controllers stand still. It is an observation, not a wait for an event:
// longer than any election and any retry of a request.
const silence = 5 * time.Second

// TestStop stops two of the four controllers with SIGSTOP, once without and once with the leading one: nothing is acknowledged then. When they
// go on, so does the room, and what was said in between comes exactly once.
func TestStop(t *testing.T) {
	n := startDemo(t)
	n.at(2).account(t, "xena") // SCRAM needs the keys that lie there
	const room = "#lobby"
	leader := n.roomLedBy(room, n.at(3), n.at(4))
	scout := dialIRC(t, n.at(1), "scout", "")
	scout.join(room)
	muc := room[1:] + "@" + n.MUC
	other := n.at(7 - indexOf(n, leader))
	second := dialIRC(t, n.at(2), "second", "")
	second.join(room)
	xena := dialXMPP(t, n.at(2), "xena", "SCRAM-SHA-256")
	xena.join(muc, "xena")
	speakers := map[string]speaker{
		"scout": &ircSpeaker{ircClient: scout, room: room}, "second": &ircSpeaker{ircClient: second, room: room},
		"xena": &xmppSpeaker{xmppClient: xena, room: muc},
	}
	everybody := func(text string) (echoed []string) {
		done := make(chan string, len(speakers))
		for name, s := range speakers {
			go func() {
				s.speak(name + " " + text)
				if s.echo(name+" "+text, silence) {
					done <- name
				} else {
					done <- ""
				}
			}()
		}
		for range speakers {
			if name := <-done; name != "" {
				echoed = append(echoed, name)
			}
		}
		return echoed
	}

	var want []string
	for round, stopped := range [][]*node{{other, n.at(2)}, {leader, other}} {
		if got := everybody(fmt.Sprintf("speaks freely %d", round)); len(got) != len(speakers) {
			t.Fatalf("round %d: before anything is stopped, only %v got an echo", round, got)
		}
		t.Logf("round %d: %s and %s are stopped; %s led", round, stopped[0].Name, stopped[1].Name, leader.Name)
		for _, x := range stopped {
			x.signal(t, syscall.SIGSTOP)
		}
		text := fmt.Sprintf("speaks to half %d", round)
		if got := everybody(text); len(got) > 0 {
			t.Errorf("round %d: %v got an acknowledgement from two of four controllers", round, got)
		}
		going := time.Now()
		for _, x := range stopped {
			x.signal(t, syscall.SIGCONT)
		}
		for name := range speakers {
			scout.sees(room, name+" "+text)
			second.sees(room, name+" "+text)
			xena.sees(muc, name+" "+text)
			want = append(want, name+" "+text)
		}
		t.Logf("round %d: everything is ordered %d ms after SIGCONT", round, time.Since(going).Milliseconds())
		if leader = n.leader(room, n.at(1)); leader == nil {
			eventually(t, "nobody leads "+room, func() bool { leader = n.leader(room, n.at(1)); return leader != nil })
		}
	}
	if got := everybody("speaks at last"); len(got) != len(speakers) {
		t.Errorf("after all only %v got an echo", got)
	}
	for _, text := range want {
		onceInOrder(t, "scout", scout.talk(room), []string{text})
	}
	sameOrder(t, "second", second.talk(room), "scout", scout.talk(room))
}

func indexOf(n *network, x *node) int {
	for i, y := range n.Nodes {
		if x == y {
			return i + 1
		}
	}
	return 0
}
