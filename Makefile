# make rehearse   the whole main job, unattended, with virtual YubiKeys
# make test       formatting, linters, all tests, races, fuzzers
# make build      ./conclave          make offline   without the online ends
# make bench      speed, beside other libraries in the same run
# make decodes    100,000 spoilt QR pictures, of which none may be read wrongly (some minutes)
# make man        manual pages and completions into dist/

GO       ?= go
FUZZTIME ?= 20s
DIR      ?= rehearsal
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)

.PHONY: rehearse test build offline bench decodes man lint unit race fuzz deps test-deps clean

rehearse: build
	./conclave rehearse $(DIR) --auto

build: deps
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o conclave ./cmd/conclave

offline: deps
	$(GO) build -trimpath -tags offline -ldflags '$(LDFLAGS)' -o conclave ./cmd/conclave

# What building needs: the PC/SC library's headers (libpcsclite-dev).
deps:
	@.ci/deps build

# What the tests need besides: foreign TUF clients and a terminal.
test-deps:
	@.ci/deps test

test: test-deps lint unit race fuzz

# The linter's cache is this clone's own: a shared one remembers files of clones that are gone.
lint: export GOLANGCI_LINT_CACHE = $(CURDIR)/dist/lint-cache
lint:
	$(GO) -C testdata/tools build -o $(CURDIR)/dist/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	dist/golangci-lint run ./...
	dist/golangci-lint fmt --diff ./...

unit:
	$(GO) vet ./...
	$(GO) vet -tags offline ./...
	$(GO) test ./...

race:
	$(GO) test -race -short -timeout 30m ./...

# Every fuzz target of every package, one after the other.
fuzz:
	@.ci/fuzz $(FUZZTIME)

bench:
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

decodes:
	$(GO) test ./transfer/qr/decode -run 'TestNoWrongContent$$' -v -timeout 2h -decodes 100000

man: build
	mkdir -p dist/man dist/completion
	./conclave man --dir dist/man
	for shell in bash zsh fish; do ./conclave completion $$shell > dist/completion/conclave.$$shell; done

clean:
	rm -rf conclave dist
