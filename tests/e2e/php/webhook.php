<?php
/* tests/e2e/php/webhook.php - takes webhooks, and logs their events if ringcast has signed them:
 *
 *     RINGCAST_SECRET=... php -S 127.0.0.1:9000 webhook.php */

$body = file_get_contents('php://input');
if (!hash_equals(hash_hmac('sha256', $body, getenv('RINGCAST_SECRET')), $_SERVER['HTTP_X_PUSHER_SIGNATURE'] ?? '')) {
    http_response_code(401);
    exit;
}
foreach (json_decode($body, true)['events'] as $event) {
    error_log("$event[name] $event[channel]");
}
