"""Sign-in beyond a password: second factors and other companies' sign-in, on the parts of django-allauth."""
