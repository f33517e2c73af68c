//go:build !offline

package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// What a bucket can answer beyond what every store can.
var (
	// ErrDenied says that the server does not let us do it.
	ErrDenied = errors.New("the store refuses access")
	// ErrVanished says that an object that was there a moment ago has been deleted. Nothing of ours deletes.
	ErrVanished = errors.New("the object has vanished from the store")
	// ErrNoConditions says that the server ignores the conditions that keep publishers apart.
	ErrNoConditions = errors.New("the store does not know conditional writes")
)

// outcome is what an answer to a write says of its effect.
type outcome int

const (
	done     outcome = iota
	refused          // no effect, and none if asked again
	occupied         // 412: the condition does not hold, perhaps because an earlier try took effect
	clash            // 409: another write is under way; ask again
	unknown          // it may have taken effect, or still will
)

// judge reads the outcome of a write off its error.
func judge(err error) outcome {
	if err == nil {
		return done
	}
	switch status := statusOf(err); {
	case status == http.StatusPreconditionFailed:
		return occupied
	case status == http.StatusConflict:
		return clash
	case codeOf(err) == "RequestTimeout", codeOf(err) == "SlowDown", status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return unknown
	case status == http.StatusNotImplemented:
		return refused
	case status >= 400 && status < 500:
		return refused
	case isLocal(err):
		return refused
	}
	return unknown
}

// A localError is one of this side: a file that could not be read, or is not what it should be.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

func isLocal(err error) bool {
	var local *localError
	return errors.As(err, &local)
}

// statusOf is the HTTP status of an answer, 0 where there was none.
func statusOf(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// codeOf is the error code of an answer, "" where there was none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// A bucketError is an answer of the server in the operator's words; the SDK's own text has the request's whole history.
type bucketError struct {
	text string
	kind error // nil, or one of the package's
	err  error
}

// Error says what the server said.
func (e *bucketError) Error() string { return e.text }

// Unwrap returns the kind and the SDK's error.
func (e *bucketError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// explain turns an answer into an error that says what to do.
func (b *Bucket) explain(act string, err error) error {
	if err == nil {
		return nil
	}
	var local *localError
	if errors.As(err, &local) {
		return local.error
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	var told *hinted
	if errors.As(err, &told) {
		return told // that there are no credentials
	}
	status, code := statusOf(err), codeOf(err)
	wrap := func(kind error, format string, args ...any) error {
		return &bucketError{act + ": " + fmt.Sprintf(format, args...), kind, err}
	}
	switch {
	case code == "NoSuchBucket":
		return withHint(wrap(nil, "there is no bucket %s", b.place.Bucket), "is it the right name, region and account? "+`"conclave publish init" checks a bucket`)
	case status == http.StatusNotFound:
		return wrap(ErrNotFound, "%v", ErrNotFound)
	case code == "RequestTimeTooSkewed":
		return withHint(wrap(ErrClock, "%v: the server refuses the time of the request", ErrClock), "set the clock and run the command again")
	case code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || code == "ExpiredToken" || code == "InvalidToken":
		return withHint(wrap(ErrDenied, "%v: %s", ErrDenied, code), "the credentials are wrong or have expired: see the environment, the profile or the machine's role")
	case status == http.StatusForbidden && (act == actRead || act == actLook):
		return withHint(wrap(ErrDenied, "%v (403)", ErrDenied),
			"a store that answers 403 for what is missing must let the caller list the bucket (s3:ListBucket); "+`"conclave publish policy" prints what to allow`)
	case status == http.StatusForbidden:
		return withHint(wrap(ErrDenied, "%v (403 %s)", ErrDenied, code), `"conclave publish policy" prints what the publisher must be allowed`)
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return withHint(wrap(nil, "the bucket %s is in another region", b.place.Bucket), "put ?region=REGION behind the store's URL")
	case status == http.StatusNotImplemented:
		return withHint(wrap(ErrNoConditions, "%v (501)", ErrNoConditions), "publish into a store that honours If-None-Match and If-Match")
	case status > 0:
		return wrap(nil, "the server answers %d %s", status, code)
	}
	return wrap(nil, "%v", rootCause(err))
}

// rootCause is the innermost error: the SDK wraps it in layers that say nothing new.
func rootCause(err error) error {
	var sent *url.Error
	var op *smithy.OperationError
	switch {
	case errors.As(err, &sent): // nothing came back
		return sent.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// Acts, as they begin an error.
const (
	actRead   = "read"
	actLook   = "look"
	actCreate = "create"
	actSwap   = "replace"
	actList   = "list"
	actUpload = "upload"
)

// pause waits before a try, longer each time, or until ctx ends.
func pause(ctx context.Context, try int) error {
	wait := min(firstWait<<try, longestWait)
	wait = wait/2 + time.Duration(randomFraction()*float64(wait/2))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
