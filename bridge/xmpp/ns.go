package xmpp

// Namespaces.
const (
	nsClient    = "jabber:client"
	nsStream    = "http://etherx.jabber.org/streams"
	nsStreamErr = "urn:ietf:params:xml:ns:xmpp-streams"
	nsStanzaErr = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsTLS       = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL      = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBinding   = "urn:xmpp:sasl-cb:0"
	nsBind      = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession   = "urn:ietf:params:xml:ns:xmpp-session"
	nsRegFeat   = "http://jabber.org/features/iq-register"
	nsRegister  = "jabber:iq:register"
	nsXML       = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS     = "http://www.w3.org/2000/xmlns/"

	nsDiscoInfo  = "http://jabber.org/protocol/disco#info"
	nsDiscoItems = "http://jabber.org/protocol/disco#items"
	nsPing       = "urn:xmpp:ping"
	nsVersion    = "jabber:iq:version"
	nsTime       = "urn:xmpp:time"
	nsVCard      = "vcard-temp"
	nsPrivate    = "jabber:iq:private"
	nsRoster     = "jabber:iq:roster"
	nsBlocking   = "urn:xmpp:blocking"
	nsCarbons    = "urn:xmpp:carbons:2"
	nsForward    = "urn:xmpp:forward:0"
	nsDelay      = "urn:xmpp:delay"
	nsSID        = "urn:xmpp:sid:0"
	nsHints      = "urn:xmpp:hints"
	nsStates     = "http://jabber.org/protocol/chatstates"
	nsForm       = "jabber:x:data"
	nsRSM        = "http://jabber.org/protocol/rsm"
	nsMAM        = "urn:xmpp:mam:2"

	nsMUC        = "http://jabber.org/protocol/muc"
	nsMUCUser    = "http://jabber.org/protocol/muc#user"
	nsMUCAdmin   = "http://jabber.org/protocol/muc#admin"
	nsMUCOwner   = "http://jabber.org/protocol/muc#owner"
	nsMUCConfig  = "http://jabber.org/protocol/muc#roomconfig"
	nsMUCInfo    = "http://jabber.org/protocol/muc#roominfo"
	nsStableID   = "http://jabber.org/protocol/muc#stable_id"
	nsSelfPing   = "http://jabber.org/protocol/muc#self-ping-optimization"
	nsConference = "jabber:x:conference"
	nsOccupant   = "urn:xmpp:occupant-id:0"
	nsReply      = "urn:xmpp:reply:0"
	nsReactions  = "urn:xmpp:reactions:0"

	nsEvent  = "urn:warren:event:0"       // what an ordered event did, as JSON
	nsDirect = "urn:warren:direct:0"      // resource and type of a direct message, within Say.Ext
	nsEarly  = "urn:warren:provisional:0" // talk that is not ordered yet, what becomes of it, and rooms that are frozen
	nsSub    = "urn:warren:roster:0"      // a subscription request or answer, within Say.Ext
)
