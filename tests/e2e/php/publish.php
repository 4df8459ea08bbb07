<?php
/* tests/e2e/php/publish.php - publishes an event and prints which channels are occupied, with plain PHP:
 *
 *     RINGCAST_URL=http://KEY:SECRET@127.0.0.1:8080/apps/ID php publish.php CHANNEL EVENT DATA */

function ringcast(string $method, string $path, string $body = ''): array
{
    $app = parse_url(getenv('RINGCAST_URL'));
    $path = $app['path'] . $path;
    $query = "auth_key=$app[user]&auth_timestamp=" . time() . '&auth_version=1.0';
    if ($body !== '') {
        $query .= '&body_md5=' . md5($body);
    }
    $signature = hash_hmac('sha256', "$method\n$path\n$query", $app['pass']);
    $answer = file_get_contents(
        "http://$app[host]:$app[port]$path?$query&auth_signature=$signature",
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
echo implode("\n", array_keys(ringcast('GET', '/channels')['channels'])), "\n";
