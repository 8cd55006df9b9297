//go:build conform

package conform

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/irc.v4"
)

// silence is how long nothing must be acknowledged while half of the controllers stand still. It is an observation, not a wait for an event:
// longer than any election and any retry of a request.
const silence = 5 * time.Second

// TestStop stops two of the four controllers with SIGSTOP, once without and once with the leading one: nothing is acknowledged then, what is said is
// provisional, and what is not talk is refused. When they go on, so does the room, and what was said in between is on every screen exactly once.
func TestStop(t *testing.T) {
	n := startDemo(t)
	n.at(2).account(t, "xena") // SCRAM needs the keys that lie there
	room, leader := n.roomLedBy(n.at(3), n.at(4))
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

	var want, once []string
	for round, stopped := range [][]*node{{other, n.at(2)}, {leader, other}} {
		if got := everybody(fmt.Sprintf("speaks freely %d", round)); len(got) != len(speakers) {
			t.Fatalf("round %d: before anything is stopped, only %v got an echo", round, got)
		}
		mark := scout.mark()
		t.Logf("round %d: %s and %s are stopped; %s led", round, stopped[0].Name, stopped[1].Name, leader.Name)
		for _, x := range stopped {
			x.signal(t, syscall.SIGSTOP)
		}
		text := fmt.Sprintf("speaks to half %d", round)
		if got := everybody(text); len(got) > 0 {
			t.Errorf("round %d: %v got an acknowledgement from two of four controllers", round, got)
		}
		early := fmt.Sprintf("is provisional %d", round)
		scout.waitFrom(mark, "the channel's mark", func(m *irc.Message) bool { return m.Command == "MODE" && m.Param(1) == "+F" })
		for name, s := range speakers {
			s.speak(name + " " + early)
		}
		shown := scout.sees(room, "scout "+early)
		scout.send("TOPIC " + room + " :something new")
		if m := scout.waitFrom(mark, "the refusal of a subject", func(m *irc.Message) bool { return m.Command == "437" }); !strings.Contains(m.Trailing(), "quorum") {
			t.Errorf("refused without a reason: %v", m)
		}
		if got := scout.provisional(room); !slices.Contains(got, "scout "+early) {
			t.Errorf("round %d: not marked: %q", round, got)
		}
		if slices.ContainsFunc(scout.history(room), func(m said) bool { return m.text == "scout "+early }) {
			t.Errorf("round %d: CHATHISTORY tells what is not ordered", round)
		}
		going := time.Now()
		for _, x := range stopped {
			x.signal(t, syscall.SIGCONT)
		}
		for name, s := range speakers {
			scout.sees(room, name+" "+text)
			second.sees(room, name+" "+text)
			xena.sees(muc, name+" "+text)
			want = append(want, name+" "+text)
			for _, sees := range []said{scout.sees(room, name+" "+early), second.sees(room, name+" "+early), xena.sees(muc, name+" "+early)} {
				if name == "scout" && sees.id != shown.id {
					t.Errorf("%q was shown as %s and as %s", sees.text, shown.id, sees.id)
				}
			}
			if !s.echo(name+" "+early, patience) {
				t.Errorf("round %d: what %s said is not confirmed", round, name)
			}
			once = append(once, name+" "+early)
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
	for _, text := range append(want, once...) {
		for who, n := range map[string]int{"scout": scout.shown(room, text), "second": second.shown(room, text), "slixmpp": xena.shown(muc, text)} {
			if n != 1 {
				t.Errorf("%s was shown %q %d times", who, text, n)
			}
		}
	}
	log := scout.history(room)
	onceInOrder(t, "CHATHISTORY", log, nil)
	sameOrder(t, "CHATHISTORY on "+n.at(2).Name, second.history(room), "on "+n.at(1).Name, log)
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
