package publish

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// A tokenURI says which key on which PKCS#11 token, by the rules of RFC 7512 as far as
// they are needed, and how to reach it:
//
//	pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/…/module.so&pin-source=FILE
//
// serial and id (in %XX) may stand instead or besides. A PIN never stands in it.
type tokenURI struct {
	Token, Serial string
	Object        string
	ID            string
	Module        string
	PINSource     string // as OpenPassphrase takes it
}

// parseTokenURI reads a key's URI strictly: attributes that we would not obey are refused.
func parseTokenURI(raw string) (tokenURI, error) {
	u, err := readTokenURI(raw)
	if err != nil {
		return tokenURI{}, withHint(fmt.Errorf("key %q: %w", hideQuery(raw), err),
			"pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/…/module.so&pin-source=FILE")
	}
	return u, nil
}

// hideQuery keeps what may be a PIN out of messages.
func hideQuery(raw string) string {
	path, _, found := strings.Cut(raw, "?")
	if found {
		return path + "?…"
	}
	return path
}

func readTokenURI(raw string) (tokenURI, error) {
	var u tokenURI
	rest, ok := strings.CutPrefix(raw, pkcs11Scheme)
	if !ok {
		return u, errors.New("is not pkcs11:…")
	}
	path, query, _ := strings.Cut(rest, "?")
	seen := map[string]bool{}
	if err := u.attributes(path, ";", u.pathAttributes(), seen); err != nil {
		return u, err
	}
	if err := u.attributes(query, "&", u.queryAttributes(), seen); err != nil {
		return u, err
	}
	return u, u.check()
}

func (u *tokenURI) pathAttributes() map[string]*string {
	return map[string]*string{"token": &u.Token, "serial": &u.Serial, "object": &u.Object, "id": &u.ID}
}

func (u *tokenURI) queryAttributes() map[string]*string {
	return map[string]*string{"module-path": &u.Module, "pin-source": &u.PINSource}
}

func (u *tokenURI) attributes(text, separator string, known map[string]*string, seen map[string]bool) error {
	if text == "" {
		return nil
	}
	for attribute := range strings.SplitSeq(text, separator) {
		name, value, ok := strings.Cut(attribute, "=")
		if name == "pin-value" {
			return errors.New("must not hold the PIN: name a file with pin-source")
		}
		into := known[name]
		switch {
		case !ok: // it may be a PIN that lost its name
			return errors.New("has a part without a name and =")
		case into == nil:
			return fmt.Errorf("%q is not known here", name)
		case seen[name]:
			return fmt.Errorf("%q stands twice", name)
		}
		plain, err := url.PathUnescape(value)
		if err != nil {
			return fmt.Errorf("%q: %w", name, errors.Unwrap(err))
		}
		if plain == "" || strings.ContainsRune(plain, 0) {
			return fmt.Errorf("%q is empty or has a zero byte", name)
		}
		seen[name] = true
		*into = plain
	}
	return nil
}

// String writes the URI, with every attribute that is set.
func (u tokenURI) String() string {
	part := func(known map[string]*string, order ...string) []string {
		var all []string
		for _, name := range order {
			if value := *known[name]; value != "" {
				all = append(all, name+"="+url.PathEscape(value))
			}
		}
		return all
	}
	return pkcs11Scheme + strings.Join(part(u.pathAttributes(), "token", "serial", "object", "id"), ";") +
		"?" + strings.Join(part(u.queryAttributes(), "module-path", "pin-source"), "&")
}

func (u *tokenURI) check() error {
	switch {
	case u.Token == "" && u.Serial == "":
		return errors.New("names no token")
	case u.Object == "" && u.ID == "":
		return errors.New("names no key")
	case u.Module == "":
		return errors.New("has no module-path")
	case !filepath.IsAbs(u.Module):
		return errors.New("module-path must be absolute: what it names is run")
	case u.PINSource == "":
		return errors.New("has no pin-source")
	}
	return u.checkPINSource()
}

// checkPINSource takes a file's name with file: before it, as the RFC writes it, and without.
func (u *tokenURI) checkPINSource() error {
	file, isFile := strings.CutPrefix(u.PINSource, fromFile)
	if strings.HasPrefix(file, "|") {
		return errors.New("pin-source must not be a program")
	}
	if !isFile {
		return nil
	}
	if file == "" {
		return errors.New("pin-source names no file")
	}
	for _, other := range []string{fromFile, fromEnv, fromCredential} {
		if strings.HasPrefix(file, other) {
			return fmt.Errorf("pin-source says %s and then %s, which is not known here", fromFile, other)
		}
	}
	u.PINSource = file
	return nil
}
