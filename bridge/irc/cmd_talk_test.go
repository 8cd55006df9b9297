package irc

import (
	"context"
	"strings"
	"testing"

	"warren/bridge"
	"warren/perms"
	"warren/rooms"
)

func TestTalk(t *testing.T) {
	tests := []struct{ name, script string }{
		{"tags, echo and labels", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			ann> @label=L1;+draft/reply=abc;secret=x PRIVMSG #c :hello
			ann< label=L1 ... :ann!~ann@ ... PRIVMSG #c :hello
			bob< +draft/reply=abc ... :ann!~ann@ ... PRIVMSG #c :hello
			ann> @label=L2 PRIVMSG bob :psst
			ann< label=L2 ... PRIVMSG bob :psst
			bob< msgid= ... PRIVMSG bob :psst
			ann> @label=L3 PONG x
			ann< @label=L3 :n1.test ACK
			ann> @label=L4 PRIVMSG nobody :x
			ann< @label=L4 :n1.test 401 ann nobody
			ann> @label=L5 PING tok
			ann< @label=L5 :n1.test PONG n1.test :tok
			ann> @label=L6 JOIN #d
			ann< @label=L6 :n1.test BATCH +b ... labeled-response
			ann< @ ... batch=b ... JOIN #d
			ann< @batch=b ... 366
			ann< BATCH -b
			ann> @label=L7 PRIVMSG #c,bob :two
			ann< @label=L7 :n1.test BATCH +b
			ann< PRIVMSG ... :two
			ann< PRIVMSG ... :two
			ann< BATCH -b
			ann> @label=L8 WHOIS bob
			ann< @label=L8 ... BATCH +b
			ann< BATCH -b
			ann> @label=L9 TOPIC #c :new
			ann< label=L9 ... TOPIC #c :new
			ann> @label=M1 NICK anna
			ann< @label=M1 ... BATCH +
			ann< batch= ... NICK anna
			ann< BATCH -
			ann> @label=M2 PART #c :x
			ann< @label=M2 ... BATCH +
			ann< PART #c :x
			ann< BATCH -
			ann> @label=M3 AWAY :gone
			ann< @label=M3 ... 306
			ann> @label=M4 MODE #d
			ann< @label=M4 ... BATCH +
			ann< 324
			ann< 329
			ann< BATCH -`},
		{"actions, notices, ctcp", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			ann> PRIVMSG #c :` + "\x01ACTION waves\x01" + `
			bob< PRIVMSG #c :` + "\x01ACTION waves\x01" + `
			ann> PRIVMSG bob :` + "\x01VERSION\x01" + `
			bob< PRIVMSG bob :` + "\x01VERSION\x01" + `
			ann> NOTICE #c :note
			bob< NOTICE #c :note
			ann> NOTICE nobody :note
			ann! :n1.test 401
			ann> PRIVMSG
			ann< 411 ann
			ann> PRIVMSG #c
			ann< 412 ann
			ann> PRIVMSG #c :
			ann< 412 ann
			ann> PRIVMSG #nowhere :x
			ann< 403 ann #nowhere
			ann> PRIVMSG a,b,c,d,e,f :x
			ann< 407 ann`},
		{"typing and other signals", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			old> JOIN #c
			old< 366
			ann> @+typing=active TAGMSG #c
			ann< +typing=active ... :ann!~ann@ ... TAGMSG #c
			bob< +typing=active ... :ann!~ann@ ... TAGMSG #c
			ann> @+draft/react=x TAGMSG #c
			bob< +draft/react=x ... TAGMSG #c
			ann> @+draft/react=y TAGMSG bob
			bob< +draft/react=y ... TAGMSG bob
			ann> TAGMSG #c
			old! TAGMSG`},
		{"away", `
			bob> AWAY :out
			bob< 306
			bob~
			ann> PRIVMSG bob :there?
			bob< PRIVMSG bob :there?
			ann< 301 ann bob :out`},
		{"message to oneself", `
			ann> PRIVMSG ann :note
			ann< :ann!~ann@ ... PRIVMSG ann :note
			ann< :ann!~ann@ ... PRIVMSG ann :note
			old> PRIVMSG old :note
			old< :old!~old@ ... PRIVMSG old :note
			old! PRIVMSG`},
	}
	caps := []string{"message-tags", "echo-message", "labeled-response", "batch", "server-time", "account-tag", "standard-replies"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(0, "ann", caps...)
			w.user(1, "bob", caps...)
			w.user(1, "old")
			w.script(tt.script)
		})
	}
}

// tagOf returns a tag's value.
func tagOf(l, tag string) string {
	tags, _, _ := strings.Cut(strings.TrimPrefix(l, "@"), " ")
	for _, t := range strings.Split(tags, ";") {
		if k, v, _ := strings.Cut(t, "="); k == tag {
			return v
		}
	}
	return ""
}

func TestIDAndTimeAreTheSameForAll(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann", "message-tags", "server-time", "echo-message")
	bob := w.user(1, "bob", "message-tags", "server-time")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
		ann> PRIVMSG #c :x
	`)
	a, b := ann.expect("PRIVMSG #c :x"), bob.expect("PRIVMSG #c :x")
	if id := tagOf(a, "msgid"); id == "" || id != tagOf(b, "msgid") || tagOf(a, "time") == "" || tagOf(a, "time") != tagOf(b, "time") {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestLongTextIsSplit(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann", "message-tags")
	w.script(`
		ann> JOIN #c
		ann< 366
	`)
	s, err := w.hubs[1].Attach(deaf{}, bridge.Person{Nick: "xena", View: "xmpp"})
	if err != nil {
		t.Fatal(err)
	}
	seat, err := s.Join(context.Background(), "c", bridge.JoinOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := "first\n\n" + strings.Repeat("ä", 1000) + "\nlast"
	if err := seat.Wait(context.Background(), &rooms.Say{Text: text}, nil); err != nil {
		t.Fatal(err)
	}
	first := ann.expect("PRIVMSG #c :first")
	if tagOf(first, "msgid") == "" {
		t.Errorf("no msgid: %s", first)
	}
	got := 0
	for {
		l := ann.expect("PRIVMSG #c :")
		if tagOf(l, "msgid") != "" {
			t.Errorf("a second msgid: %s", l)
		}
		if strings.HasSuffix(l, ":last") {
			break
		}
		if len(l) > maxLine-2 {
			t.Errorf("%d bytes", len(l))
		}
		_, part, _ := strings.Cut(l, "PRIVMSG #c :")
		got += strings.Count(part, "ä")
	}
	if got != 1000 {
		t.Errorf("%d characters arrived", got)
	}
}

// echoBot answers !echo.
type echoBot struct{}

func (echoBot) Is(line string) bool { return strings.HasPrefix(line, "!") }
func (echoBot) Run(_ context.Context, s *bridge.Session, seat *bridge.Seat, line string) bridge.Reply {
	if line == "!go" {
		s.GoTo("elsewhere")
	}
	if line == "!poem" {
		return bridge.Reply{Lines: []string{"one", "", "three"}}
	}
	return bridge.Reply{Lines: []string{"you said " + line, "twice"}}
}

func TestBot(t *testing.T) {
	w := newWorld(t)
	w.hubs[0].SetRunner(echoBot{})
	w.user(0, "ann", "echo-message", "batch", "labeled-response", "message-tags")
	w.user(0, "bob")
	w.script(`
		bob> JOIN #c
		bob< 353 ... bob warren
		ann> JOIN #c
		ann< 366
		ann> @label=Q PRIVMSG #c :!echo
		ann< @label=Q ... BATCH +
		ann< :ann!~ann@ ... PRIVMSG #c :!echo
		ann< bot ... :warren!warren@services/n1.test NOTICE #c :you said !echo
		ann< NOTICE #c :twice
		ann< BATCH -
		bob! warren
		bob! echo
		bob> PRIVMSG warren :!private
		bob< :warren!warren@services/n1.test NOTICE bob :you said !private
		bob> PRIVMSG #c :!poem
		bob< NOTICE #c :one
		bob< NOTICE #c :
		bob< NOTICE #c :three
		bob> PRIVMSG #c :!go
		bob< JOIN #elsewhere
		bob> WHOIS warren
		bob< 311 bob warren warren services/n1.test
		bob< 335 bob warren
		bob< 318
	`)
}

func TestPongWaitsForWhatWasCaused(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user(0, "ann"), w.user(0, "bob")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
	`)
	ann.sync()
	for range 20 {
		ann.send("PRIVMSG #c :one", "PRIVMSG #c :two", "PRIVMSG bob :three", "NICK anna", "TOPIC #c :x", "NICK ann", "PING done")
		ann.expect("PONG n1.test :done")
		got := strings.Join(bob.sync(), "\n")
		if !contains(got, "PRIVMSG #c :one ... PRIVMSG #c :two ... NICK anna ... TOPIC #c :x ... NICK ann") || !contains(got, "PRIVMSG bob :three") {
			t.Fatalf("bob has only\n%s", got)
		}
	}
}

func TestTypingToOnePerson(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "message-tags", "echo-message")
	w.user(1, "bob", "message-tags")
	w.user(1, "cat")
	w.script(`
		ann> @+typing=active TAGMSG bob
		ann< +typing=active ... :ann!~ann@ ... TAGMSG bob
		bob< +typing=active ... :ann!~ann@ ... TAGMSG bob
		ann> @+typing=active TAGMSG cat
		ann< +typing=active ... TAGMSG cat
		cat! TAGMSG
		bob! TAGMSG
		bob> CHATHISTORY TARGETS timestamp=2001-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 10
		bob! ann
	`)
}

func TestADeniedRightIsSaid(t *testing.T) {
	w := newWorld(t)
	ann := w.user(0, "ann")
	w.user(1, "bob")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
	`)
	seat := w.hubs[0].Sessions()[0].Seat("c")
	if err := seat.Wait(t.Context(), &rooms.Grant{Who: rooms.PrincipalOf("", "bob", w.nodes[1].Self()), Deny: perms.Say}, nil); err != nil {
		t.Fatal(err)
	}
	ann.expect("MODE #c -v bob", "NOTICE #c :ann denied guest bob the right to say")
}
