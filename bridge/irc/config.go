package irc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"warren/bridge"
	"warren/bridge/login"
)

// Config is what a server needs. Hub is required, the rest has defaults.
type Config struct {
	Name            string         // server name in prefixes, like "n1.warren"; letters, digits, dots, hyphens
	Network         string         // ISUPPORT NETWORK, without spaces
	Listen          []net.Listener // plain text; Start serves them
	TLSListen       []net.Listener // wrapped in TLS by Start
	TLS             *tls.Config    // needed for TLSListen
	Password        string         // PASS that every client must give; empty: none
	MOTD            string         // lines separated by \n; empty: 422
	Opers           []Oper
	FloodProtection bool
	MaxClientsPerIP int // 0: no limit; loopback is exempt
	Hub             *bridge.Hub
	Accounts        login.Accounts // nil: no SASL, no NickServ
	// RegistrationOpen offers draft/account-registration and NickServ REGISTER.
	RegistrationOpen bool
	Version          string
	Logger           *slog.Logger
	Limits           Limits
}

// Oper is somebody who may call OPER.
type Oper struct{ Name, Password string }

// Limits of one connection. Zero fields take the defaults.
type Limits struct {
	SendQueue int           // bytes of events that wait to be written before a slow client is dropped; 96 KiB, as other servers do
	Register  time.Duration // a connection must have registered by then; 30 s
	Idle      time.Duration // silence before the server asks PING; 90 s
	PingWait  time.Duration // silence after that before the connection ends; 60 s
	Write     time.Duration // one write may take so long; 20 s
	Burst     int           // lines that a client may send at once when flood protection is on; 20
	Rate      float64       // lines a second after that; 2
	Targets   int           // targets of one PRIVMSG, NOTICE, TAGMSG; 4
	Monitor   int           // nicks on one MONITOR list; 100
	History   int           // messages of one CHATHISTORY answer; 1000, bridge.MaxHistory
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	wait := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&l.SendQueue, 96<<10)
	set(&l.Burst, 20)
	set(&l.Targets, 4)
	set(&l.Monitor, 100)
	set(&l.History, bridge.MaxHistory)
	l.History = min(l.History, bridge.MaxHistory)
	wait(&l.Register, 30*time.Second)
	wait(&l.Idle, 90*time.Second)
	wait(&l.PingWait, 60*time.Second)
	wait(&l.Write, 20*time.Second)
	if l.Rate <= 0 {
		l.Rate = 2
	}
	return l
}

// Limits of the protocol and of this server that are told in ISUPPORT.
const (
	maxLine    = 512 // bytes of a line without tags, CR LF included (RFC 2812 §2.3)
	topicLen   = 390 // a subject fits into 332 with the longest names
	awayLen    = 200
	kickLen    = 390
	maxModes   = 8    // changes with parameter in one MODE
	maxTasks   = 8    // commands of one client that go on in the background
	maxEarly   = 256  // deliveries kept while a client is being welcomed
	maxJoins   = 20   // channels of one JOIN line
	maxWho     = 500  // replies to one WHO of a mask
	maxListed  = 5000 // replies to one LIST
	maxWhowas  = 256  // people remembered for WHOWAS
	maxSASL    = 4096 // bytes of one SASL message, decoded
	saslTries  = 5    // failed tries of one connection
	commandMax = 15 * time.Second
)
