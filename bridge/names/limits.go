package names

const (
	// NickLen is the longest nick and account name in bytes, as ISUPPORT NICKLEN tells. 32 is what other large networks
	// offer; guests of other nodes are shown with a longer name, which NICKLEN allows.
	NickLen = 32
	// NodeLen is the longest name of a node in bytes, so that nick~node!user@host leaves room for a message in an IRC line.
	NodeLen = 24
	// ChannelLen is the longest channel name in bytes, with the '#', as ISUPPORT CHANNELLEN tells.
	ChannelLen = 64
	// DisplayLen is the longest nick that an XMPP client may choose in a room, in bytes.
	DisplayLen = 128
	// MaskLen is the longest ban mask in bytes: a guest's name, a user name and a host name of 255 fit.
	MaskLen = 384
	// localLen is the longest localpart in bytes (RFC 7622 §3.3).
	localLen = 1023
)
