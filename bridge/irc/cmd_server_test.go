package irc

import "testing"

func TestServerCommands(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.MOTD = "first line\n\nthird"
		c.Opers = []Oper{{"root", "toor"}}
	})
	w.user(0, "ann")
	w.script(`
		ann> MOTD
		ann< 375 ann
		ann< 372 ann :- first line
		ann< 372 ann :- third
		ann< 376 ann
		ann> VERSION
		ann< 351 ann warren-test n1.test
		ann< 005 ann
		ann> TIME
		ann< 391 ann n1.test
		ann> INFO
		ann< 371 ann
		ann< 374 ann
		ann> ADMIN
		ann< 256 ann
		ann< 259 ann
		ann> LUSERS
		ann< 251 ann :There are 1 users
		ann< 266 ann
		ann> LINKS
		ann< 364 ann n1.test
		ann< 364 ann n2
		ann< 365 ann
		ann> HELP
		ann< 704 ann index
		ann< 706 ann index
		ann> OPER root wrong
		ann< 464 ann
		ann> OPER root toor
		ann< 381 ann
		ann< MODE ann +o
		ann> MODE ann
		ann< 221 ann +o
		ann> MODE ann -o
		ann< MODE ann -o
		ann> MODE nobody
		ann< 401 ann nobody
		ann> INVITE
		ann< 337 ann
		ann> SETNAME :New Name
		ann> WHOIS ann
		ann< 311 ann ann ~ann ... :New Name
	`)
}
