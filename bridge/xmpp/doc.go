// Package xmpp shows the rooms of the network to XMPP clients: client-to-server streams (RFC 6120), instant messaging (RFC 6121) and
// multi-user chat (XEP-0045).
//
// It is a codec and a connection machine only: a stanza becomes a request of package bridge, a bridge.Delivery becomes stanzas. Rules that
// IRC needs too stand in bridge or below. The libraries of mellium.im are imported here and nowhere else, and only for addresses, conditions
// and names: streams are read by a bounded reader of our own, and written through one bounded queue a connection.
//
// Read in this order: server.go, conn.go, read.go, negotiate.go, sasl.go, bind.go, route.go, muc_join.go, muc_events.go, direct.go,
// roster.go.
package xmpp
