package xmpp

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// FuzzStanza sends bytes to a live server from a bound client that sits in a room. The server must answer or end the stream, and then serve
// the next client.
func FuzzStanza(f *testing.F) {
	for _, s := range []string{
		"<message/>", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='set' id='1' to='lobby@rooms.localhost'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='bob' role='none'/></query></iq>",
		"<iq type='set' id='1' to='lobby@rooms.localhost'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_maxusers'><value>3</value></field></x></query></iq>",
		"<iq type='set' id='1' to='lobby@rooms.localhost'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set></query></iq>",
		"<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@localhost'/></query></iq>",
		"<iq type='set' id='1'><query xmlns='jabber:iq:private'><a xmlns='b'/></query></iq>",
		"<iq type='set' id='1'><vCard xmlns='vcard-temp'/></iq>", "<iq type='get' id='1' to='rooms.localhost'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
		"<message type='groupchat' to='lobby@rooms.localhost'><body>!x</body></message>", "<message type='groupchat' to='lobby@rooms.localhost'><subject/></message>",
		"<message to='lobby@rooms.localhost'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='bob@localhost'/></x></message>",
		"<message type='chat' to='lobby@rooms.localhost/bob'><body>x</body></message>", "<message to='alice@localhost'><body>\xff</body></message>",
		"<presence to='lobby@rooms.localhost/x'><x xmlns='http://jabber.org/protocol/muc'><history seconds='1'/></x></presence>",
		"<presence type='subscribe' to='bob@localhost'/>", "<presence type='unavailable'/>", "</stream:stream>", "<a:b/>", "<!ENTITY", "<?x?>",
	} {
		f.Add([]byte(s))
	}
	n := newNetwork(f)
	x := n.node("n1", nil, "alice", "bob")
	witness := x.online("bob", "y")
	witness.join(lobby, "bob")
	f.Fuzz(func(t *testing.T, data []byte) {
		here := *x
		here.t, witness.t = t, t
		c := here.online("alice", "fuzz")
		defer c.nc.Close()
		c.send("<presence to='" + lobby + "/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
		_ = c.nc.SetDeadline(time.Now().Add(patience))
		_, _ = c.nc.Write(append(bytes.Clone(data), "</stream:stream>"...)) // fits into the socket's buffers
		if tc, ok := c.nc.(*net.TCPConn); ok {
			_ = tc.CloseWrite()
		}
		for {
			if _, err := c.r.next(); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("neither answered nor ended: %q", data)
				}
				break
			}
		}
		witness.got = nil
		witness.sync()
	})
}
