package irc

import "testing"

func TestTwoNodesTalk(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann")
	w.user(1, "bob")
	w.script(`
		ann> JOIN #lobby
		ann< :ann!~ann@guest/ ... JOIN #lobby
		ann< 353 ann = #lobby :@ann
		ann< 366 ann #lobby
		bob> JOIN #Lobby
		bob< JOIN #lobby
		bob< 353 bob = #lobby :@ann bob
		bob< 366
		ann< :bob!~bob@guest/ ... JOIN #lobby
		ann> PRIVMSG #lobby :hello there
		bob< :ann!~ann@guest/ ... PRIVMSG #lobby :hello there
		ann! PRIVMSG
		bob> PRIVMSG ann :psst
		ann< :bob!~bob@guest/ ... PRIVMSG ann :psst
		ann> TOPIC #lobby :tea
		bob< :ann!~ann@ ... TOPIC #lobby :tea
		bob> TOPIC #lobby :coffee
		bob< 482 bob #lobby
		bob> NICK robert
		bob< :bob!~bob@ ... NICK robert
		ann< :bob!~bob@ ... NICK robert
		ann> MODE #lobby +o robert
		bob< :ann!~ann@ ... MODE #lobby +o robert
		ann< MODE #lobby +o robert
		bob> KICK #lobby ann :off
		ann< :robert!~robert@ ... KICK #lobby ann :off
		bob< KICK #lobby ann :off
		ann> PRIVMSG #lobby :still?
		ann< 404 ann #lobby
		bob> QUIT :bye
		bob< ERROR :Closing link: ... bye
	`)
}
