package irc

import (
	"context"
	"testing"

	"warren/bridge"
	"warren/rooms"
)

func TestChannels(t *testing.T) {
	tests := []struct{ name, script string }{
		{"own join, with topic", `
			ann> JOIN #c
			ann< 366
			ann> TOPIC #c :tea time
			ann< :ann!~ann@ ... TOPIC #c :tea time
			bob> JOIN #c
			bob< :bob!~bob@ ... JOIN #c
			bob< 332 bob #c :tea time
			bob< 333 bob #c ann!~ann@
			bob< 353 bob = #c :@ann bob
			bob< 366 bob #c
			bob> TOPIC #c
			bob< 332 bob #c :tea time
			ann> TOPIC #c :
			bob< TOPIC #c :
			bob> TOPIC #c
			bob< 331 bob #c`},
		{"case of names", `
			ann> JOIN #CamelCase
			ann< JOIN #CamelCase
			bob> JOIN #camelcase
			bob< JOIN #CamelCase
			bob> PRIVMSG #CAMELCASE :hi
			ann< PRIVMSG #CamelCase :hi
			bob> PRIVMSG ANN :hi
			ann< PRIVMSG ann :hi`},
		{"lists, keys and bad names", `
			ann> JOIN #a,#b
			ann< JOIN #a
			ann< JOIN #b
			ann> JOIN nothash
			ann< 403 ann nothash
			ann> JOIN #a
			ann! JOIN
			ann> JOIN 0
			ann< PART #
			ann< PART #
			ann> PART #a
			ann< 442 ann #a
			ann> PART #nowhere
			ann< 403 ann #nowhere
			ann> NAMES #a
			ann< 366 ann #a`},
		{"part with a reason", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			bob> PART #c :so long
			ann< :bob!~bob@ ... PART #c :so long
			bob< PART #c :so long
			ann> NAMES #c
			ann< 353 ann = #c :@ann`},
		{"invitation, key, limit, ban", `
			ann> JOIN #c
			ann< 366
			ann> MODE #c +i
			ann< :ann!~ann@ ... MODE #c +i
			bob> JOIN #c
			bob< 473 bob #c
			bob~
			ann> INVITE bob #c
			ann< 341 ann bob #c
			bob< :ann!~ann@ ... INVITE bob #c
			bob> JOIN #c
			bob< 366 bob #c
			ann> INVITE bob #c
			ann< 443 ann bob #c
			bob> PART #c
			bob< PART
			ann> MODE #c -i+kl secret 1
			ann< MODE #c +kl-i * 1
			ann> MODE #c
			ann< 324 ann #c +ntkl * 1
			ann< 329 ann #c
			bob> JOIN #c
			bob< 475 bob #c
			bob> JOIN #c secret
			bob< 471 bob #c
			ann> MODE #c -k-l *
			ann< MODE #c -kl *
			ann> MODE #c +b bob
			ann< MODE #c +b bob!*@*
			bob> JOIN #c
			bob< 474 bob #c
			ann> MODE #c b
			ann< 367 ann #c bob!*@* ann
			ann< 368 ann #c
			ann> MODE #c -b bob!*@*
			ann< MODE #c -b bob!*@*
			ann> MODE #c +Z
			ann< 472 ann Z
			bob> JOIN #c
			bob< 366`},
		{"ranks", `
			ann> JOIN #c
			ann< 366
			bob> JOIN #c
			bob< 366
			bob> MODE #c +m
			bob< 482 bob #c
			ann> MODE #c +m
			bob< MODE #c +m
			bob> PRIVMSG #c :quiet?
			bob< 404 bob #c
			ann> MODE #c +v bob
			bob< MODE #c +v bob
			bob> PRIVMSG #c :now
			ann< PRIVMSG #c :now
			ann> MODE #c -v+h bob bob
			bob< MODE #c -v bob
			bob< MODE #c +h bob
			bob> TOPIC #c :by half
			ann< TOPIC #c :by half
			ann> NAMES #c
			ann< 353 ann = #c :@ann %bob
			ann> MODE #c +o nobody
			ann< 441 ann nobody #c
			ann> KICK #c nobody
			ann< 441 ann nobody #c
			bob> KICK #c ann :no
			bob< 482 bob #c
			ann> KICK #c bob
			bob< KICK #c bob :ann
			bob> JOIN #c
			ann< JOIN #c
			ann< MODE #c +h bob`},
		{"quit is shown once for two channels", `
			ann> JOIN #a,#b
			ann< 366 ann #b
			bob> JOIN #a,#b
			bob< 366 bob #b
			ann< :bob ... JOIN #b
			bob> NICK robert
			ann< :bob!~bob@ ... NICK robert
			ann! NICK
			ann> NAMES #b
			ann< 353 ann = #b :@ann robert
			bob> NICK bob
			ann< :robert!~robert@ ... NICK bob
			ann! NICK
			bob> QUIT :bye now
			ann< :bob!~bob@ ... QUIT :bye now
			ann! bob
			ann> WHOWAS bob
			ann< 314 ann bob ~bob
			ann< 369 ann bob`},
		{"list", `
			ann> JOIN #visible,#hidden,#crowd
			ann< 366 ann #crowd
			ann> MODE #hidden +s
			ann< MODE #hidden +s
			ann> TOPIC #visible :see me
			ann< TOPIC
			bob> JOIN #crowd
			bob< 366
			bob> LIST
			bob< 321 bob
			bob< 322 bob #visible 1 :see me
			bob< 323
			bob> LIST *hid*
			bob< 321
			bob! #hidden
			ann> LIST >1
			ann< 322 ann #crowd 2
			ann! #visible
			ann> LIST *vis*
			ann< 322 ann #visible 1 :see me
			ann< 323
			ann> LIST !*vis*,<2
			ann< 322 ann #hidden 1
			ann< 323`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.user(0, "ann")
			w.user(1, "bob")
			w.script(tt.script)
		})
	}
}

func TestJoinWithCapabilities(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "extended-join", "userhost-in-names", "multi-prefix", "away-notify", "invite-notify", "setname", "server-time", "message-tags")
	w.user(0, "quiet", "no-implicit-names")
	w.user(1, "bob")
	w.script(`
		bob> AWAY :lunch
		bob< 306
		ann> JOIN #c
		ann< @ ... JOIN #c * :The ann
		ann< 353 ann = #c :@ann!~ann@guest/
		ann> MODE #c +vh ann ann
		ann< @ ... MODE #c +v ann
		ann< MODE #c +h ann
		ann> NAMES #c
		ann< 353 ann = #c :@%+ann!
		quiet> JOIN #c
		quiet< JOIN #c
		quiet! 366
		bob> JOIN #c
		bob< 366
		ann< :bob!~bob@ ... JOIN #c * :The bob
		ann< :bob!~bob@ ... AWAY :lunch
		bob> AWAY
		bob< 305
		ann< :bob!~bob@ ... AWAY
		bob> SETNAME :Robert the Builder
		bob! FAIL
		ann< :bob!~bob@ ... SETNAME :Robert the Builder
	`)
}

// deaf is a client of another protocol.
type deaf struct{}

func (deaf) Deliver(bridge.Delivery) {}

func TestNicksThatIRCCannotShow(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann")
	w.script(`
		ann> JOIN #c
		ann< 366
	`)
	for _, nick := range []string{"Bob Lee", "Bob.Lee"} {
		s, err := w.hubs[1].Attach(deaf{}, bridge.Person{Nick: nick, View: "xmpp"})
		if err != nil {
			t.Fatal(err)
		}
		seat, err := s.Join(context.Background(), "c", bridge.JoinOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := seat.Wait(context.Background(), &rooms.Say{Text: "I am " + nick}, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.script(`
		ann< :Bob_Lee!~bob_lee@ ... JOIN #c
		ann< :Bob_Lee!~bob_lee@ ... PRIVMSG #c :I am Bob Lee
		ann< :Bob_Lee_1!~bob_lee_1@ ... JOIN #c
		ann< :Bob_Lee_1!~bob_lee_1@ ... PRIVMSG #c :I am Bob.Lee
		ann> NAMES #c
		ann< 353 ann = #c :@ann Bob_Lee Bob_Lee_1
		ann> WHOIS Bob_Lee_1
		ann< 311 ann Bob_Lee_1
		ann< 318
		ann> KICK #c Bob_Lee_1 :dots
		ann< KICK #c Bob_Lee_1 :dots
	`)
}

func TestDescribedEvents(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "message-tags")
	w.user(0, "bob")
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
	`)
	var seat *bridge.Seat
	for _, s := range w.hubs[0].Sessions() {
		if s.Nick() == "ann" {
			seat = s.Seat("c")
		}
	}
	if err := seat.Wait(context.Background(), &rooms.Tag{Add: []string{"tea"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.script(`
		ann< warren/event= ... :warren!warren@services/n1.test NOTICE #c :
		bob< :warren!warren@services/n1.test NOTICE #c :
	`)
}
