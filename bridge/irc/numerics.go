package irc

// Numerics that gopkg.in/irc.v4 does not name, because they came after RFC 2812 (modern.ircdocs.horse, IRCv3).
const (
	rplLocalUsers      = "265"
	rplGlobalUsers     = "266"
	rplWhoisSpecial    = "320"
	rplCreationTime    = "329"
	rplWhoisAccount    = "330"
	rplTopicWhoTime    = "333"
	rplWhoisBot        = "335"
	rplEndOfInviteMine = "337"
	rplWhoSpecial      = "354"
	errInputTooLong    = "417"
	rplWhoisSecure     = "671"
	errInvalidModeArg  = "696"
	rplHelpStart       = "704"
	rplHelpText        = "705"
	rplEndOfHelp       = "706"
)
