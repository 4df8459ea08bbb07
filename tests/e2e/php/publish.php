<?php
/* tests/e2e/php/publish.php - publishes an event and prints which channels whose names begin so are occupied, and by
 * how many, with plain PHP:
 *
 *     RINGCAST_URL=http://KEY:SECRET@127.0.0.1:8080/apps/ID php publish.php CHANNEL EVENT DATA */

function ringcast(string $method, string $path, string $body = ''): array
{
    $url = parse_url(getenv('RINGCAST_URL') . $path);
    parse_str($url['query'] ?? '', $query);
    $query += ['auth_key' => $url['user'], 'auth_timestamp' => time(), 'auth_version' => '1.0'];
    if ($body !== '') {
        $query['body_md5'] = md5($body);
    }
    ksort($query);
    $query = http_build_query($query, encoding_type: PHP_QUERY_RFC3986);
    $signature = hash_hmac('sha256', "$method\n$url[path]\n" . rawurldecode($query), $url['pass']);
    $answer = file_get_contents(
        "http://$url[host]:$url[port]$url[path]?$query&auth_signature=$signature",
        context: stream_context_create(['http' => [
            'method' => $method,
            'header' => 'Content-Type: application/json',
            'content' => $body,
            'ignore_errors' => true,
        ]])
    );
    return json_decode($answer, true) ?? throw new RuntimeException($answer);
}

[, $channel, $event, $data] = $argv;
ringcast('POST', '/events', json_encode(['name' => $event, 'channel' => $channel, 'data' => $data]));
$path = '/channels?' . http_build_query(['info' => 'subscription_count', 'filter_by_prefix' => $channel]);
foreach (ringcast('GET', $path)['channels'] as $name => $facts) {
    echo "$name $facts[subscription_count]\n";
}
