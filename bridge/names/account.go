package names

import (
	"errors"
	"fmt"
)

// AccountName returns the canonical form of an account's name: PRECIS UsernameCaseMapped (RFC 8265 §3.3). It must also be
// a legal nick ([ValidNick]), so that one name serves as IRC nick, SASL user name and XMPP localpart; hence 1 to [NickLen]
// bytes. Canonical names are equal exactly when the accounts are.
func AccountName(name string) (string, error) {
	if len(name) > 4*NickLen {
		return "", fmt.Errorf("account name: longer than %d bytes", NickLen)
	}
	if name == "" {
		return "", errors.New("account name: empty")
	}
	folded, err := foldUser(name)
	if err != nil {
		return "", fmt.Errorf("account name: %w", err)
	}
	if err := checkNick(folded, NickLen, false); err != nil {
		return "", fmt.Errorf("account name: %w", err)
	}
	return folded, nil
}

// AccountToLocal returns the XMPP localpart of a canonical account name: the name itself, but for a backslash that
// XEP-0106 would read as the start of an escape.
func AccountToLocal(account string) string { return escape(account) }

// LocalToAccount returns the canonical account name that an XMPP localpart stands for.
func LocalToAccount(local string) (string, error) {
	if len(local) > localLen {
		return "", fmt.Errorf("account name: longer than %d bytes", NickLen)
	}
	account, err := AccountName(unescape(lowerASCII(local)))
	if err != nil {
		return "", err
	}
	if folded, err := foldUser(local); err != nil || folded != AccountToLocal(account) {
		return "", errors.New("account name: written with needless escapes")
	}
	return account, nil
}
