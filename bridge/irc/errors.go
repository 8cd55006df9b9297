package irc

import (
	irc "gopkg.in/irc.v4"

	"warren/rooms/errs"
)

const errInvalidCap = irc.ERR_INVALIDCAPCMD

// errorRow says how one kind of error is told: by a numeric, or by FAIL with a code where no numeric fits.
type errorRow struct {
	kind    errs.Kind
	command string // only for this command; empty: for all others
	numeric string
	fail    string
	text    string
}

// errorTable is the one place where kinds of errors become IRC. The first row that fits counts.
func errorTable() []errorRow {
	return []errorRow{
		{errs.Void, "", "", "NOT_SIGNED", "This node may not sign for your account: log in again"},
		{errs.Stale, "", "", "OVERTAKEN", "Somebody else was faster: look again and repeat"},
		{errs.Denied, "PRIVMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you may not talk here"},
		{errs.Denied, "NOTICE", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you may not talk here"},
		{errs.Denied, "TAGMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you may not talk here"},
		{errs.Denied, "JOIN", irc.ERR_INVITEONLYCHAN, "", "Cannot join channel: you may not enter"},
		{errs.Denied, "CHATHISTORY", "", "INVALID_TARGET", "You may not read this"},
		{errs.Denied, "", irc.ERR_CHANOPRIVSNEEDED, "", "You're not a channel operator, or lack the right for this"},
		{errs.NotFound, "PRIVMSG", irc.ERR_NOSUCHNICK, "", "No such nick/channel"},
		{errs.NotFound, "NOTICE", irc.ERR_NOSUCHNICK, "", "No such nick/channel"},
		{errs.NotFound, "TAGMSG", irc.ERR_NOSUCHNICK, "", "No such nick/channel"},
		{errs.NotFound, "KICK", irc.ERR_USERNOTINCHANNEL, "", "They aren't on that channel"},
		{errs.NotFound, "INVITE", irc.ERR_NOSUCHNICK, "", "No such nick"},
		{errs.NotFound, "CHATHISTORY", "", "INVALID_TARGET", "No such target"},
		{errs.NotFound, "", irc.ERR_NOSUCHCHANNEL, "", "No such channel"},
		{errs.Exists, "", "", "ALREADY_EXISTS", "The name is taken"},
		{errs.NickInUse, "JOIN", "", "NICK_IN_USE", "Somebody else has your nick in this channel: change it with /nick and join again"},
		{errs.NickInUse, "", irc.ERR_NICKNAMEINUSE, "", "Nickname is already in use"},
		{errs.Invalid, "NICK", irc.ERR_ERRONEUSNICKNAME, "", "Erroneous nickname"},
		{errs.Invalid, "JOIN", irc.ERR_NOSUCHCHANNEL, "", "No such channel: this cannot be a channel name"},
		{errs.Invalid, "", "", "INVALID_PARAMS", "This cannot be done as you wrote it"},
		{errs.TooLarge, "", errInputTooLong, "", "Input line was too long"},
		{errs.Quota, "JOIN", irc.ERR_TOOMANYCHANNELS, "", "You have joined, or made, too many channels"},
		{errs.Quota, "MODE", irc.ERR_BANLISTFULL, "", "Channel list is full"},
		{errs.Quota, "", "", "LIMIT_REACHED", "There are too many already"},
		{errs.Closed, "", irc.ERR_NOSUCHCHANNEL, "", "The channel is closed"},
		{errs.Banned, "PRIVMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are silenced here (+b)"},
		{errs.Banned, "NOTICE", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are silenced here (+b)"},
		{errs.Banned, "TAGMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are silenced here (+b)"},
		{errs.Banned, "", irc.ERR_BANNEDFROMCHAN, "", "Cannot join channel (+b)"},
		{errs.InviteOnly, "", irc.ERR_INVITEONLYCHAN, "", "Cannot join channel (+i)"},
		{errs.NeedKey, "", irc.ERR_BADCHANNELKEY, "", "Cannot join channel (+k)"},
		{errs.Full, "", irc.ERR_CHANNELISFULL, "", "Cannot join channel (+l)"},
		{errs.NotHere, "PRIVMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are not in it"},
		{errs.NotHere, "NOTICE", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are not in it"},
		{errs.NotHere, "TAGMSG", irc.ERR_CANNOTSENDTOCHAN, "", "Cannot send to channel: you are not in it"},
		{errs.NotHere, "", irc.ERR_NOTONCHANNEL, "", "You're not on that channel"},
		{errs.Frozen, "", irc.ERR_UNAVAILRESOURCE, "", "The channel is frozen: no quorum of its nodes can be reached. Try again later"},
		{errs.Busy, "", irc.RPL_TRYAGAIN, "", "Too much at once: wait a moment and try again"},
		{errs.Timeout, "", "", "TIMEOUT", "No answer of the channel's nodes in time: it may or may not have been done"},
	}
}
