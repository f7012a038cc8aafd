<?php // The client-token endpoint of a customer's site: POST /api/client-token. Try it: php -S 127.0.0.1:8000 client_token.php
[$issuer, $secret, $site, $api] = array_map('getenv',
    ['CLAIMGATE_ISSUER', 'CLAIMGATE_ACCOUNT_TOKEN', 'SITE_ORIGIN', 'CLAIMGATE_API_URL']);

function is_signed_in(): bool { // replace it by your own check of the visitor's session
    return ($_COOKIE['session'] ?? '') === '1';
}

function answer(int $status, array $body, string $retryAfter = ''): never {
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    if ($retryAfter !== '') header("Retry-After: $retryAfter");
    exit(json_encode($body));
}

if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== '/api/client-token') answer(404, ['error' => 'not_found']);
$origin = $_SERVER['HTTP_ORIGIN'] ?? '';
if ($origin !== $site) answer(403, ['error' => $origin === '' ? 'origin_required' : 'origin_not_allowed']);
if (!is_signed_in()) answer(401, ['error' => 'unauthorized']);
$text = file_get_contents('php://input', length: 1024);
$body = $text === '' ? new stdClass : json_decode($text);
if (!$body instanceof stdClass) answer(400, ['error' => 'invalid_request']);
$claim = ['origin' => $site] + (isset($body->jkt) ? ['jkt' => $body->jkt] : []);
$text = @file_get_contents("$issuer/auth/claim", false, stream_context_create(['http' => [
    'method' => 'POST', 'timeout' => 5, 'ignore_errors' => true, 'follow_location' => 0,
    'header' => ["Authorization: Bearer $secret", 'Content-Type: application/json'], 'content' => json_encode($claim),
]]));
$status = $text === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
if ($status === 200) {
    $claimed = array_intersect_key(json_decode($text, true), ['token' => 1, 'expiresIn' => 1, 'tokenType' => 1]);
    answer(200, $claimed + ['config' => ['baseUrl' => $api]]);
}
error_log("no client token: $status " . substr((string) $text, 0, 2000)); // for your log, not for the page
if ($status === 0) answer(504, ['error' => 'gateway_timeout']);
if ($status !== 429 && $status !== 503) answer(502, ['error' => 'bad_gateway']);
$wait = preg_filter('/^Retry-After:\s*/i', '', $http_response_header);
answer(503, ['error' => 'unavailable'], (string) reset($wait));
