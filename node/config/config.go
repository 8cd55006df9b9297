package config

// FileName is the name of the configuration file in a data directory.
const FileName = "warren.toml"

// Config is everything that the person who runs a node may set. Get one from [Default] or [Load]; the zero value is not
// valid.
type Config struct {
	Node     Node     `toml:"node" comment:"This node: one running peer of the network."`
	Network  Network  `toml:"network" comment:"The other nodes: where they reach this one, and how it finds them."`
	IRC      IRC      `toml:"irc" comment:"The view for IRC clients."`
	XMPP     XMPP     `toml:"xmpp" comment:"The view for XMPP clients."`
	Accounts Accounts `toml:"accounts" comment:"Accounts of people and bots."`
	Order    Order    `toml:"order" comment:"How the controllers of a room keep its order. The same values on all nodes serve best."`
	Log      Log      `toml:"log" comment:"What the node tells its operator, on standard error."`
	Limits   Limits   `toml:"limits" comment:"What one client, peer or account may use, so that nobody can use up the node."`
}

// Node is the section [node].
type Node struct {
	Data    Path   `toml:"data" comment:"The data directory. Nothing here means: the folder of this file if the file is called warren.toml, else warren in the folder for user data (XDG_DATA_HOME, or .local/share in the home folder)."`
	Name    string `toml:"name" comment:"What people call the node; guests of it are shown as nick~name. Lower-case ASCII letters, digits, - and _, at most 24. Nothing means: made from the host's name."`
	Label   string `toml:"label" comment:"What may fail together with this node: a site, a provider, a household. The controllers of a room are spread over labels. May be changed at any time; it counts from the next start on."`
	Sponsor string `toml:"sponsor" comment:"Who answers for the nodes that this one invites or admits: an account's name. The controllers of a room are spread over sponsors. Nothing means: the node's name."`
}

// Network is the section [network].
type Network struct {
	Name      string   `toml:"name" comment:"The network's name, read only when this node founds it."`
	Listen    []string `toml:"listen" comment:"Multiaddrs where other nodes connect. [] means: this node only calls others."`
	Bootstrap []string `toml:"bootstrap" comment:"Multiaddrs of nodes to call first, each ending in /p2p/ and the node's id. Nodes met before are remembered, so this is seldom needed after an invitation."`
	MDNS      bool     `toml:"mdns" comment:"Find nodes of the same local network, and be found there."`
	Heartbeat Duration `toml:"heartbeat" comment:"How often two nodes tell each other that they live, one message for all rooms of the pair. Shorter finds a dead node sooner and costs more when idle. 50ms to 10s."`
}

// IRC is the section [irc].
type IRC struct {
	Name            string   `toml:"name" comment:"The server's name in messages and in the welcome. Nothing means: the node's name."`
	Network         string   `toml:"network" comment:"The network's name that clients show. Nothing means: the network's own name."`
	Listen          []string `toml:"listen" comment:"Addresses (host:port) for clients without TLS. Other hosts than loopback send passwords in clear. [] switches it off."`
	TLSListen       []string `toml:"tls_listen" comment:"Addresses (host:port) for clients with TLS; 6697 is the usual port. [] switches it off."`
	TLSCert         Path     `toml:"tls_cert" comment:"Certificate chain in PEM. Nothing means: the certificate that the node made for itself."`
	TLSKey          Path     `toml:"tls_key" comment:"Private key to tls_cert in PEM."`
	Password        string   `toml:"password" comment:"What every client must send by PASS. Nothing means: no password."`
	MOTD            string   `toml:"motd" comment:"The message of the day: a text, or file: and the path of one."`
	Opers           []Oper   `toml:"opers" comment:"Who may use OPER on this node, as [{name = \"...\", password = \"...\"}]. It gives rights over connections to this node, none over rooms."`
	FloodProtection bool     `toml:"flood_protection" comment:"Slow down clients that send faster than limits.requests_per_second."`
	MaxClientsPerIP int      `toml:"max_clients_per_ip" comment:"Most IRC and XMPP connections from one address; loopback does not count. 0 means: 64, which a household or classroom behind one address stays below."`
}

// Oper is one entry of irc.opers.
type Oper struct {
	Name     string `toml:"name"`
	Password string `toml:"password"`
}

// XMPP is the section [xmpp].
type XMPP struct {
	Domain    string   `toml:"domain" comment:"The network's virtual XMPP domain, the same on every node: used when this node founds the network, and checked otherwise. Nothing means: localhost at founding, the network's domain later."`
	Listen    []string `toml:"listen" comment:"Addresses (host:port) for clients, which may switch to TLS by STARTTLS. [] switches it off."`
	TLSListen []string `toml:"tls_listen" comment:"Addresses (host:port) for clients that begin with TLS; 5223 is the usual port. [] switches it off."`
	TLSCert   Path     `toml:"tls_cert" comment:"Certificate chain in PEM. Nothing means: the certificate that the node made for itself."`
	TLSKey    Path     `toml:"tls_key" comment:"Private key to tls_cert in PEM."`
}

// Accounts is the section [accounts].
type Accounts struct {
	Registration string `toml:"registration" comment:"Who may make an account at this node: open = whoever connects, closed = who runs warren account create."`
}

// Order is the section [order].
type Order struct {
	Heartbeat       Duration `toml:"heartbeat" comment:"How often the leading controller of a room in use calls its backups. 10ms to 5s."`
	ElectionTimeout Duration `toml:"election_timeout" comment:"How long a backup controller waits for the leading one before it wants to lead. At least 3 heartbeats, or a single late message unseats a leader; at most 1m."`
}

// Log is the section [log].
type Log struct {
	Level  string `toml:"level" comment:"The least important lines to print: debug, info, warn or error."`
	Format string `toml:"format" comment:"text for people, json for programs."`
}

// Limits is the section [limits].
type Limits struct {
	Clients           int      `toml:"clients" comment:"Clients connected at the same time, IRC and XMPP together. More are turned away. 1 to 1000000."`
	SendQueue         Size     `toml:"send_queue" comment:"Bytes that wait for one client. One that reads too slowly is told so and disconnected; the history gives it back what it missed. 16KiB to 64MiB."`
	Stanza            Size     `toml:"stanza" comment:"The longest XMPP stanza from a client. RFC 6120 wants at least 10000 bytes. 10000B to 1MiB."`
	RequestsPerSecond int      `toml:"requests_per_second" comment:"Commands and messages of one IRC client per second in the long run, when irc.flood_protection is on. 1 to 10000."`
	RequestBurst      int      `toml:"request_burst" comment:"Commands and messages that one IRC client may send at once before that counts; joining some dozens of rooms after login must fit. 1 to 100000."`
	LoginTime         Duration `toml:"login_time" comment:"How long an IRC connection may take to register, so that half-open ones do not pile up. 1s to 10m."`
	History           int      `toml:"history" comment:"Messages in one answer to IRC's CHATHISTORY. 1 to 1000."`
}
