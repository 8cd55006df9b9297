// Package irc is the IRC view: lines become requests, deliveries become lines.
//
// A [Server] serves connections; each has one reading goroutine, which runs the client's commands in order, and one writing goroutine behind a
// bounded queue. What happens in rooms comes as bridge.Delivery and is encoded once for each set of capabilities. Rules of rooms live in rooms,
// rules that XMPP needs too in bridge: neither may come in here. The IRC libraries are imported here and nowhere else.
//
// Read in this order: config.go, server.go, conn.go, wait.go, queue.go, line.go, reply.go (labels), register.go, deliver.go, changes.go,
// render.go, people.go, then the cmd_*.go files, one for each group of commands.
//
// Two locks matter: conn.mu orders what one client is shown; it may be held while a room's state is viewed or a line is queued, never while
// the hub, a session or a seat is asked to do something. Inside a View nothing but the state is touched.
//
// Sources: modern.ircdocs.horse, RFC 2812, ircv3.net.
package irc
