//go:build !offline

package publish

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/sync/semaphore"
)

// A Bucket is a store in S3, or in anything that speaks its protocol: every object is created with
// If-None-Match and the timestamp is swapped with If-Match, so any number of hosts may publish at once
// and the bucket is all that they need to agree.
//
// Every object goes out with its SHA-256, which the server compares, and inside the signature of the request.
// An answer that was lost is never guessed: the object is read back and compared before anything is sent again.
type Bucket struct {
	api    *s3.Client
	place  Place
	memory *semaphore.Weighted // bytes of parts that are held at once
}

// A Place says which objects of which bucket a store is, and how to get there. Empty fields
// are left to the environment, the profile files and the role of the machine, as every program of its kind reads them.
type Place struct {
	Bucket   string
	Prefix   string // "" or "some/prefix/"
	Region   string
	Endpoint string // https://host of a server that is not Amazon's
	Profile  string // section of the shared configuration files
	PathLike bool   // https://host/BUCKET/… instead of https://BUCKET.host/…
	Insecure bool   // http to another machine is allowed
}

// s3Scheme begins the URL of a bucket.
const s3Scheme = "s3:"

// bucketName is what Amazon allows: it becomes a part of a host name.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// ParsePlace reads s3://BUCKET/PREFIX?region=…&endpoint=…&profile=…&addressing=path&insecure=yes. Every
// parameter may be left out; unknown, empty and doubled ones are refused.
func ParsePlace(raw string) (Place, error) {
	p, err := parsePlace(raw)
	if err != nil {
		return Place{}, withHint(fmt.Errorf("store %q: %w", raw, err),
			"s3://BUCKET/PREFIX, and where needed ?region=REGION&endpoint=https://HOST&addressing=path&profile=NAME")
	}
	return p, nil
}

func parsePlace(raw string) (Place, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Place{}, errors.Unwrap(err)
	}
	switch {
	case u.Scheme+":" != s3Scheme || u.Opaque != "":
		return Place{}, errors.New("is not s3://BUCKET/PREFIX")
	case u.User != nil:
		return Place{}, errors.New("must not hold credentials: they come from the environment, a profile or the machine's role")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return Place{}, errors.New(`must not hold "#"`)
	case !bucketName.MatchString(u.Host) || strings.Contains(u.Host, ".."):
		return Place{}, fmt.Errorf("%q is not a bucket's name", u.Host)
	}
	p := Place{Bucket: u.Host}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := checkName(prefix); err != nil {
			return Place{}, err
		}
		p.Prefix = prefix + "/"
	}
	return p, p.parameters(u.RawQuery)
}

// parameters reads what stands behind the question mark.
func (p *Place) parameters(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return err
	}
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return fmt.Errorf("%q must be given once, with a value", name)
		}
		switch value := values[0]; name {
		case "region":
			p.Region = value
		case "endpoint":
			p.Endpoint = value
		case "profile":
			p.Profile = value
		case "addressing":
			if value != "path" && value != "host" {
				return fmt.Errorf(`"addressing" is "path" or "host", not %q`, value)
			}
			p.PathLike = value == "path"
		case "insecure":
			if value != "yes" {
				return fmt.Errorf(`"insecure" is "yes" or left out, not %q`, value)
			}
			p.Insecure = true
		default:
			return fmt.Errorf("%q is not known", name)
		}
	}
	return p.checkEndpoint()
}

// checkEndpoint refuses plain http to other machines: whoever is on the way could
// answer in the server's place, and the push would believe what was never stored.
func (p *Place) checkEndpoint() error {
	if p.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(p.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("endpoint %q is not https://HOST", p.Endpoint)
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (p.Insecure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("endpoint %q is not encrypted (insecure=yes allows it)", p.Endpoint)
	}
	return fmt.Errorf("endpoint %q is not https://HOST", p.Endpoint)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String is the URL that ParsePlace reads.
func (p Place) String() string {
	query := url.Values{}
	for name, value := range map[string]string{"region": p.Region, "endpoint": p.Endpoint, "profile": p.Profile} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if p.PathLike {
		query.Set("addressing", "path")
	}
	if p.Insecure {
		query.Set("insecure", "yes")
	}
	u := url.URL{Scheme: "s3", Host: p.Bucket, RawQuery: query.Encode()}
	if p.Prefix != "" {
		u.Path = "/" + strings.TrimSuffix(p.Prefix, "/")
	}
	return u.String()
}

// Connections: as many as there are uploads at once, and limits for servers that do not answer.
const (
	maxConnections    = 2 * workers
	writeBuffer       = 32 << 10 // a small file goes out in one piece, not in five
	connectTimeout    = 10 * time.Second
	answerTimeout     = 60 * time.Second
	readTries         = 6
	longestWait       = 5 * time.Second
	defaultS3Region   = "us-east-1" // what servers other than Amazon's expect in signatures
	userAgentOfBucket = "conclave"
)

// OpenBucket returns the store at a place. It asks the server nothing yet.
func OpenBucket(ctx context.Context, p Place) (*Bucket, error) {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = maxConnections, maxConnections, maxConnections
			t.ResponseHeaderTimeout = answerTimeout
			t.WriteBufferSize = writeBuffer
		})
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client), config.WithRegion(p.Region), config.WithSharedConfigProfile(p.Profile),
		config.WithAppID(userAgentOfBucket), config.WithLogger(logging.Nop{}), // what matters comes as an error
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = readTries, longestWait
				o.RateLimiter = noQuota{}
			})
		}))
	if err != nil {
		return nil, withHint(fmt.Errorf("open store: %w", err), "see the shared configuration files and the AWS_… variables of the environment")
	}
	endpoint := p.Endpoint
	if cfg.BaseEndpoint != nil && endpoint == "" {
		endpoint = *cfg.BaseEndpoint
	}
	if cfg.Region == "" {
		if endpoint == "" {
			return nil, withHint(fmt.Errorf("open store: the region of bucket %s is not known", p.Bucket), "add ?region=REGION to the store's URL, or set AWS_REGION")
		}
		cfg.Region = defaultS3Region
	}
	cfg.Credentials = credentials{cfg.Credentials}
	return newBucket(cfg, p), nil
}

// credentials is the SDK's chain of places to look in, and says in an operator's words that nothing was found in any.
type credentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = withHint(&bucketError{"no credentials for the store: " + rootCause(err).Error(), nil, err},
			"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, put ?profile=NAME behind the store's URL, or give this machine a role")
	}
	return found, err
}

func newBucket(cfg aws.Config, p Place) *Bucket {
	api := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = p.PathLike
		if p.Endpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimSuffix(p.Endpoint, "/"))
		}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Bucket{api: api, place: p, memory: semaphore.NewWeighted(partMemory)}
}

// noQuota lets every request use its tries: the SDK's shared quota runs dry when many uploads meet one
// short outage, and then they all fail.
type noQuota struct{}

// GetToken always grants.
func (noQuota) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}

// AddTokens does nothing.
func (noQuota) AddTokens(uint) error { return nil }

// openBucket returns the store of an s3: URL; false for other URLs.
func openBucket(raw string) (Store, bool, error) {
	if !strings.HasPrefix(raw, s3Scheme) {
		return nil, false, nil
	}
	p, err := ParsePlace(raw)
	if err != nil {
		return nil, true, err
	}
	b, err := OpenBucket(context.Background(), p)
	if err != nil {
		return nil, true, err
	}
	return b, true, nil
}

// Place is where the bucket is.
func (b *Bucket) Place() Place { return b.place }

// URL is the bucket's address, with the server that it was found at.
func (b *Bucket) URL() string {
	place := b.place
	if server := b.api.Options().BaseEndpoint; server != nil {
		place.Endpoint = *server
	}
	return place.String()
}

// key is the object's name in the bucket.
func (b *Bucket) key(name string) (*string, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	key := b.place.Prefix + name
	if len(key) > maxName {
		return nil, fmt.Errorf("name %q: is longer than %d bytes behind the prefix %q", name, maxName, b.place.Prefix)
	}
	return &key, nil
}

// How caches may keep objects. A cache without orders keeps them for as long as it likes.
const (
	cacheNever   = "no-cache"
	cacheForever = "public, max-age=31536000, immutable"
	cacheShort   = "public, max-age=300"
)

// headers says how an object is to be served.
func headers(name string) (cache, contentType string) {
	switch {
	case name == timestampName:
		return cacheNever, "application/json"
	case strings.HasPrefix(name, metadataDir):
		return cacheForever, "application/json"
	case strings.HasPrefix(name, targetsDir):
		return cacheForever, "application/octet-stream"
	}
	return cacheShort, "text/plain; charset=utf-8"
}
